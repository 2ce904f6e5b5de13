//! User presence: who touches the key, and when.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use trussed::{platform::UserInterface, types::ui::Status};
use trussed_core::types::{consent::Level, reboot::To};

use crate::control::say;

/// How a touch comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchMode {
    /// By itself, after the key has blinked this long.
    After(Duration),
    /// By [`Touch::press`].
    Manual,
}

/// The button of the key. It counts only while the key blinks, as on hardware.
#[derive(Debug)]
pub struct Touch {
    mode: TouchMode,
    button: Mutex<Button>,
}

#[derive(Debug, Default)]
struct Button {
    blinking_since: Option<Instant>,
    pressed: bool,
}

/// The firmware asks again and again while it blinks; this is how long it is kept from asking.
const POLL: Duration = Duration::from_millis(2);

impl Touch {
    pub(crate) fn new(mode: TouchMode) -> Self {
        Self { mode, button: Mutex::default() }
    }

    /// A finger on the button.
    pub fn press(&self) {
        let mut button = self.button();
        button.pressed = button.blinking_since.is_some();
        if !button.pressed {
            say("not blinking");
        }
    }

    /// Whether the key waits for a finger.
    #[must_use]
    pub fn is_blinking(&self) -> bool {
        self.button().blinking_since.is_some()
    }

    /// The key stops blinking.
    pub(crate) fn stop(&self) {
        *self.button() = Button::default();
    }

    /// One question of the firmware: was it touched?
    fn ask(&self) -> bool {
        let mut button = self.button();
        let since = *button.blinking_since.get_or_insert_with(|| {
            say("touch?");
            Instant::now()
        });
        let touched = match self.mode {
            TouchMode::After(delay) => since.elapsed() >= delay,
            TouchMode::Manual => button.pressed,
        };
        if touched {
            *button = Button::default();
            say("touched");
        }
        touched
    }

    fn button(&self) -> MutexGuard<'_, Button> {
        self.button.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The button and the lamp, as the firmware sees them.
pub(crate) struct Panel(pub(crate) Arc<Touch>);

impl UserInterface for Panel {
    fn check_user_presence(&mut self) -> Level {
        if self.0.ask() {
            Level::Normal
        } else {
            thread::sleep(POLL);
            Level::None
        }
    }

    fn set_status(&mut self, status: Status) {
        if !matches!(status, Status::WaitingForUserPresence) {
            self.0.stop();
        }
    }

    fn refresh(&mut self) {}

    /// Not reached: the platform around this panel keeps the time itself.
    fn uptime(&mut self) -> Duration {
        Duration::ZERO
    }

    fn reboot(&mut self, _: To) -> ! {
        std::process::exit(0)
    }

    fn wink(&mut self, _: Duration) {
        say("wink");
    }
}
