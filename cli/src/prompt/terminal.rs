//! The person at a terminal.
//!
//! Prompts go to the terminal itself, so they are seen when standard output and standard error are redirected.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _, Write as _},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::termios::tcgetattr;
use zeroize::Zeroizing;

use super::{
    Choice, Confirmation, Notice, PinQuestion, PromptError, Prompter, TextQuestion,
    line::{Line, Step, is_continuation},
    modes::{Hush, RawMode, is_foreground},
    text::{self, Tone},
};
use crate::interrupt::Interrupt;

/// How long a question stays open: a forgotten prompt must not hold a key and a challenge for ever.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a question is asked again after an answer that is none.
const ATTEMPTS: usize = 5;

/// A terminal, with the line that is being written.
#[derive(Debug)]
pub struct Terminal {
    input: File,
    output: File,
    colour: bool,
    interrupt: Interrupt,
    open_line: Arc<Mutex<OpenLine>>,
    _hush: Arc<Hush>,
}

/// Whether the cursor stands behind a text that is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenLine {
    None,
    Insert,
    Touch,
    Question,
}

/// What is shown of what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    Stars,
    Text,
}

impl Terminal {
    /// The controlling terminal, or standard input and error when both are one. Colours only if `colour`.
    ///
    /// # Errors
    /// [`PromptError::NoTerminal`] and [`PromptError::Background`], at once: a prompt nobody sees must not be waited for.
    pub fn open(interrupt: &Interrupt, colour: bool) -> Result<Self, PromptError> {
        let (input, output) = streams().ok_or(PromptError::NoTerminal)?;
        if !is_foreground(&input) {
            return Err(PromptError::Background);
        }
        Self::on(input, output, interrupt, colour)
    }

    fn on(input: File, output: File, interrupt: &Interrupt, colour: bool) -> Result<Self, PromptError> {
        let hush = Arc::new(Hush::begin(&input)?);
        let open_line = Arc::new(Mutex::new(OpenLine::None));
        // A signal ends the process without dropping anything.
        let (for_signals, line, last_words) =
            (Arc::downgrade(&hush), Arc::clone(&open_line), output.try_clone().map_err(PromptError::Terminal)?);
        interrupt.before_exit(move || {
            if let Some(hush) = for_signals.upgrade() {
                hush.end();
            }
            // What the shell says next begins on a line of its own.
            if line.try_lock().is_ok_and(|line| *line != OpenLine::None) && is_foreground(&last_words) {
                let _gone = (&last_words).write_all(b"\n");
            }
        });
        Ok(Self { input, output, colour, interrupt: interrupt.clone(), open_line, _hush: hush })
    }

    /// Writes without buffering. A terminal that is gone is noticed when it is read.
    fn write(&self, text: &str) {
        let _ = (&self.output).write_all(text.as_bytes()).and_then(|()| (&self.output).flush());
    }

    fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Action => "\x1B[1m",
            Tone::Warning => "\x1B[33m",
            Tone::Good => "\x1B[32m",
        };
        if self.colour && !code.is_empty() { format!("{code}{text}\x1B[0m") } else { text.to_owned() }
    }

    /// Leaves `line` open and finishes the one before.
    fn turn(&self, line: OpenLine) -> OpenLine {
        let mut open = self.open_line.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *open, line)
    }

    fn finish_line(&self) {
        if self.turn(OpenLine::None) != OpenLine::None {
            self.write("\n");
        }
    }

    /// Shows `question` and reads a line. Nothing that was typed before the question counts as its answer.
    fn read_line(&self, question: &str, echo: Echo) -> Result<Option<Zeroizing<String>>, PromptError> {
        self.finish_line();
        let raw = RawMode::enter(&self.input)?;
        // A signal that comes as soon as the question is read finds its line open.
        let _nothing_open = self.turn(OpenLine::Question);
        self.write(&self.paint(question, Tone::Action));
        let outcome = self.type_line(echo);
        self.finish_line();
        drop(raw);
        outcome.map(Line::into_text)
    }

    fn type_line(&self, echo: Echo) -> Result<Line, PromptError> {
        let deadline = Instant::now() + PATIENCE;
        let mut line = Line::default();
        let mut byte = Zeroizing::new([0_u8; 1]);
        loop {
            if self.interrupt.is_raised() {
                return Err(PromptError::Interrupted);
            }
            if Instant::now() >= deadline {
                return Err(PromptError::TimedOut);
            }
            match (&self.input).read(byte.as_mut_slice()) {
                // Nothing was typed for a while, or the terminal is gone and has no settings any more.
                Ok(0) => {
                    tcgetattr(&self.input).map_err(|_| PromptError::Closed)?;
                }
                Ok(_) => match line.push(byte.first().copied().unwrap_or_default()) {
                    Step::Nothing => {}
                    Step::Typed(byte) => self.echo(byte, echo),
                    Step::Erased(count) => self.write(&"\x08 \x08".repeat(count)),
                    Step::Done => return Ok(line),
                    Step::Interrupted => return Err(PromptError::Interrupted),
                    Step::Closed => return Err(PromptError::Closed),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PromptError::Terminal(error)),
            }
        }
    }

    fn echo(&self, byte: u8, echo: Echo) {
        match echo {
            Echo::Stars if is_continuation(byte) => {}
            Echo::Stars => self.write("*"),
            Echo::Text => drop((&self.output).write_all(&[byte])),
        }
    }
}

impl Prompter for Terminal {
    fn tell(&self, notice: &Notice) {
        let (text, tone) = text::notice(notice);
        let painted = self.paint(&text, tone);
        let next = match notice {
            Notice::InsertKey(_) => OpenLine::Insert,
            Notice::TouchKey => OpenLine::Touch,
            _ => OpenLine::None,
        };
        let end = if next == OpenLine::None { "\n" } else { "" };
        match (self.turn(next), notice) {
            (OpenLine::Insert, Notice::KeyFound { .. }) | (OpenLine::Touch, Notice::Touched) => {
                self.write(&format!(" {painted}{end}"));
            }
            (OpenLine::None, Notice::KeyFound { .. }) => self.write(&format!("Security key: {painted}{end}")),
            (OpenLine::None, _) => self.write(&format!("{painted}{end}")),
            (_, _) => self.write(&format!("\n{painted}{end}")),
        }
    }

    fn ask_pin(&self, question: PinQuestion) -> Result<Zeroizing<String>, PromptError> {
        let answer = self.read_line(&text::pin_question(question), Echo::Stars)?;
        // What is not UTF-8 is no PIN either; an empty one is refused before a key sees it.
        Ok(answer.unwrap_or_default())
    }

    fn ask_text(&self, question: TextQuestion) -> Result<Zeroizing<String>, PromptError> {
        for _ in 0..ATTEMPTS {
            let answer = self.read_line(text::text_question(question), Echo::Text)?.unwrap_or_default();
            if !answer.trim().is_empty() {
                return Ok(Zeroizing::new(answer.trim().to_owned()));
            }
        }
        Err(PromptError::TimedOut)
    }

    fn confirm(&self, question: Confirmation) -> Result<bool, PromptError> {
        for _ in 0..ATTEMPTS {
            let answer = self.read_line(text::confirmation(question), Echo::Text)?.unwrap_or_default();
            match answer.trim().to_ascii_lowercase().as_str() {
                "" => return Ok(question.is_yes_by_default()),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            }
        }
        Ok(false)
    }

    fn choose(&self, question: Choice, options: &[String]) -> Result<usize, PromptError> {
        self.finish_line();
        self.write(&format!("{}\n", self.paint(text::choice(question), Tone::Action)));
        for (number, option) in options.iter().enumerate() {
            self.write(&format!("  {}  {}\n", number + 1, text::clean(option)));
        }
        for _ in 0..ATTEMPTS {
            let answer = self.read_line(&format!("Number (1 to {}): ", options.len()), Echo::Text)?.unwrap_or_default();
            match answer.trim().parse::<usize>() {
                Ok(number) if (1..=options.len()).contains(&number) => return Ok(number - 1),
                _ => {}
            }
        }
        Err(PromptError::TimedOut)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.finish_line();
    }
}

fn streams() -> Option<(File, File)> {
    if let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") {
        let output = terminal.try_clone().ok()?;
        return Some((terminal, output));
    }
    let (input, output) = (io::stdin(), io::stderr());
    if !input.is_terminal() || !output.is_terminal() {
        return None;
    }
    let input = input.as_fd().try_clone_to_owned().ok()?;
    let output = output.as_fd().try_clone_to_owned().ok()?;
    Some((input.into(), output.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustix::{
        fs::{Mode, OFlags},
        io::ioctl_fionread,
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::LocalModes,
    };

    use super::*;
    use crate::prompt::Wanted;

    /// A person's end of a terminal, and ours.
    fn terminal(interrupt: &Interrupt) -> (File, Terminal) {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let ours: File = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap().into();
        let output = ours.try_clone().unwrap();
        (person.into(), Terminal::on(ours, output, interrupt, false).unwrap())
    }

    /// Reads what the person sees until it contains `text`.
    fn wait_for(person: &File, text: &str) -> String {
        let mut seen = Vec::new();
        let mut buffer = [0; 256];
        while !String::from_utf8_lossy(&seen).contains(text) {
            let count = (&*person).read(&mut buffer).unwrap();
            seen.extend_from_slice(buffer.get(..count).unwrap());
        }
        String::from_utf8(seen).unwrap()
    }

    fn modes(terminal: &Terminal) -> LocalModes {
        tcgetattr(&terminal.input).unwrap().local_modes
    }

    #[test]
    fn a_pin_is_shown_as_stars_and_the_terminal_is_as_before() {
        let (person, terminal) = terminal(&Interrupt::default());
        let before = modes(&terminal);
        let hand = std::thread::spawn(move || {
            wait_for(&person, "PIN (8 tries left): ");
            (&person).write_all("12é\x7F4567\r".as_bytes()).unwrap();
            (wait_for(&person, "\n"), person)
        });
        let pin = terminal.ask_pin(PinQuestion::Current { tries_left: 8 }).unwrap();
        assert_eq!(pin.as_str(), "124567");
        let (seen, _person) = hand.join().unwrap();
        assert!(seen.starts_with("***\x08 \x08****"), "{seen:?}");
        assert!(!seen.contains(char::is_numeric), "{seen:?}");
        assert_eq!(modes(&terminal), before);
    }

    /// Waits until the terminal has taken in what was typed.
    fn wait_for_input(terminal: &File) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while ioctl_fionread(terminal).unwrap() == 0 {
            assert!(Instant::now() < deadline, "nothing arrived");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_was_typed_before_the_question_is_neither_shown_nor_an_answer() {
        let (person, terminal) = terminal(&Interrupt::default());
        (&person).write_all(b"314159\r").unwrap();
        wait_for_input(&terminal.input);
        let hand = std::thread::spawn(move || {
            let seen = wait_for(&person, "New PIN: ");
            (&person).write_all(b"123456\r").unwrap();
            (seen, person)
        });
        assert_eq!(terminal.ask_pin(PinQuestion::New).unwrap().as_str(), "123456");
        let (seen, _person) = hand.join().unwrap();
        assert_eq!(seen, "New PIN: ");
    }

    #[test]
    fn what_was_typed_and_not_asked_for_does_not_reach_the_shell() {
        let (person, terminal) = terminal(&Interrupt::default());
        let shell = terminal.input.try_clone().unwrap();
        (&person).write_all(b"314159\r").unwrap();
        wait_for_input(&shell);
        drop(terminal);
        assert_eq!(ioctl_fionread(&shell).unwrap(), 0);
        assert!(tcgetattr(&shell).unwrap().local_modes.contains(LocalModes::ECHO));
    }

    #[test]
    fn a_signal_that_ends_the_process_gives_the_terminal_back() {
        let interrupt = Interrupt::default();
        let (_person, terminal) = terminal(&interrupt);
        assert!(!modes(&terminal).contains(LocalModes::ECHO));
        let raw = RawMode::enter(&terminal.input).unwrap();
        interrupt.say_farewell();
        assert!(modes(&terminal).contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
        drop(raw);
    }

    #[test]
    fn an_invite_code_is_shown_as_it_is_typed_and_asked_for_again_when_there_is_none() {
        let (person, terminal) = terminal(&Interrupt::default());
        let hand = std::thread::spawn(move || {
            wait_for(&person, "Invite code: ");
            (&person).write_all(b"\r").unwrap();
            wait_for(&person, "Invite code: ");
            (&person).write_all(b" 7KQF-29MD-W3XA\r").unwrap();
            (wait_for(&person, "\n"), person)
        });
        assert_eq!(terminal.ask_text(TextQuestion::InviteCode).unwrap().as_str(), "7KQF-29MD-W3XA");
        let (seen, _person) = hand.join().unwrap();
        assert!(seen.contains("7KQF-29MD-W3XA"), "{seen:?}");
    }

    #[test]
    fn enter_alone_switches_no_issuer_and_deletes_nothing() {
        let (person, terminal) = terminal(&Interrupt::default());
        let hand = std::thread::spawn(move || {
            for _ in 0..2 {
                wait_for(&person, "[y/N] ");
                (&person).write_all(b"\r").unwrap();
            }
            person
        });
        assert!(!terminal.confirm(Confirmation::SwitchIssuer).unwrap());
        assert!(!terminal.confirm(Confirmation::DeleteCredential).unwrap());
        hand.join().unwrap();
    }

    #[test]
    fn a_signal_ends_the_question_and_gives_the_terminal_back() {
        let interrupt = Interrupt::default();
        let (person, terminal) = terminal(&interrupt);
        let before = modes(&terminal);
        let _shield = interrupt.shield();
        let hand = std::thread::spawn(move || {
            wait_for(&person, "New PIN: ");
            interrupt.raise();
            person
        });
        assert!(matches!(terminal.ask_pin(PinQuestion::New), Err(PromptError::Interrupted)));
        let _person = hand.join().unwrap();
        assert_eq!(modes(&terminal), before);
    }

    #[test]
    fn a_terminal_that_goes_away_ends_the_question() {
        let (person, terminal) = terminal(&Interrupt::default());
        let hand = std::thread::spawn(move || drop(wait_for(&person, "New PIN: ")));
        let gone = terminal.ask_pin(PinQuestion::New);
        assert!(matches!(gone, Err(PromptError::Closed | PromptError::Terminal(_))), "{gone:?}");
        hand.join().unwrap();
    }

    #[test]
    fn a_choice_is_made_by_number_and_asked_again_when_there_is_none_such() {
        let (person, terminal) = terminal(&Interrupt::default());
        let hand = std::thread::spawn(move || {
            for answer in ["3", "x", "2"] {
                wait_for(&person, "Number (1 to 2): ");
                (&person).write_all(format!("{answer}\r").as_bytes()).unwrap();
            }
            person
        });
        let options = ["alice@example.com".to_owned(), "root@example.com".to_owned()];
        assert_eq!(terminal.choose(Choice::Account, &options).unwrap(), 1);
        hand.join().unwrap();
    }

    #[test]
    fn an_answer_stands_behind_its_question_and_other_notices_on_lines_of_their_own() {
        let (person, terminal) = terminal(&Interrupt::default());
        terminal.tell(&Notice::InsertKey(Wanted::Any));
        terminal.tell(&Notice::KeyFound { name: "YubiKey".to_owned() });
        terminal.tell(&Notice::TouchKey);
        terminal.tell(&Notice::Touched);
        terminal.tell(&Notice::TouchKey);
        terminal.tell(&Notice::FingerprintNotRecognised);
        terminal.tell(&Notice::TouchKey);
        drop(terminal);
        let seen = wait_for(&person, "recognised.\r\nTouch your key now.\r\n").replace('\r', "");
        let expected = "Insert your security key… YubiKey\nTouch your key now. ✓\nTouch your key now.\n\
                        The fingerprint was not recognised.\nTouch your key now.\n";
        assert_eq!(seen, expected);
    }
}
