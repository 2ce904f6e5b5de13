//! What a test says to the key and hears from it: lines on stdin and stdout.

use std::{
    io::{self, Write as _},
    process,
    sync::Arc,
    thread,
};

use crate::touch::Touch;

/// Prints one event at once. A reader that went away is no reason to stop.
pub(crate) fn say(event: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{event}").and_then(|()| out.flush());
}

/// Obeys `touch` and `quit` from a thread of its own.
pub(crate) fn follow_stdin(touch: Arc<Touch>, exit_with_stdin: bool) {
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            match line.trim() {
                "touch" => touch.press(),
                "quit" => process::exit(0),
                other => eprintln!("virtual-key: unknown command {other:?}; known are touch and quit"),
            }
        }
        if exit_with_stdin {
            process::exit(0);
        }
    });
}
