//! CTAPHID framing (CTAP 2.1 §11.2): messages in 64-byte reports. Pure; no input or output here.

/// One HID report, without the report id that the host puts before it.
pub type Report = [u8; REPORT_LEN];

/// Bytes in a report.
pub const REPORT_LEN: usize = 64;

/// The longest message: one initialisation packet and 128 continuation packets (§11.2.4).
pub const MAX_MESSAGE: usize = INIT_DATA + 128 * CONTINUATION_DATA;

const INIT_DATA: usize = REPORT_LEN - 7;
const CONTINUATION_DATA: usize = REPORT_LEN - 5;
const INIT_BIT: u8 = 0x80;

/// The channel on which a client asks for a channel of its own (§11.2.9.1.3).
pub const BROADCAST: u32 = u32::MAX;

/// Commands (§11.2.9).
#[allow(missing_docs, reason = "the names are the specification's")]
pub mod command {
    pub const PING: u8 = 0x01;
    pub const MSG: u8 = 0x03;
    pub const INIT: u8 = 0x06;
    pub const WINK: u8 = 0x08;
    pub const CBOR: u8 = 0x10;
    pub const CANCEL: u8 = 0x11;
    pub const KEEPALIVE: u8 = 0x3b;
    pub const ERROR: u8 = 0x3f;
}

/// Error codes of the `ERROR` command (§11.2.9.1.6).
#[allow(missing_docs, reason = "the names are the specification's")]
pub mod error_code {
    pub const INVALID_COMMAND: u8 = 0x01;
    pub const INVALID_LENGTH: u8 = 0x03;
    pub const INVALID_SEQUENCE: u8 = 0x04;
    pub const CHANNEL_BUSY: u8 = 0x06;
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who asked.
    pub channel: u32,
    /// One of [`command`].
    pub command: u8,
    /// At most [`MAX_MESSAGE`] bytes.
    pub payload: Vec<u8>,
}

impl Message {
    /// An `ERROR` message.
    #[must_use]
    pub fn error(channel: u32, code: u8) -> Self {
        Self { channel, command: command::ERROR, payload: vec![code] }
    }

    /// The reports that carry it, in order.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let (first, rest) = self.payload.split_at(self.payload.len().min(INIT_DATA));
        let [high, low] = u16::try_from(self.payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut reports = vec![report(self.channel, &[self.command | INIT_BIT, high, low], first)];
        let continuations = (0u8..INIT_BIT).zip(rest.chunks(CONTINUATION_DATA));
        reports.extend(continuations.map(|(sequence, data)| report(self.channel, &[sequence], data)));
        reports
    }
}

fn report(channel: u32, header: &[u8], data: &[u8]) -> Report {
    let mut report = [0; REPORT_LEN];
    let bytes = channel.to_be_bytes();
    for (slot, byte) in report.iter_mut().zip(bytes.iter().chain(header).chain(data)) {
        *slot = *byte;
    }
    report
}

/// What a report completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message is there.
    Message(Message),
    /// More reports are needed, or this one belongs to nobody.
    Nothing,
    /// To be sent back: the report breaks the protocol.
    Refuse(Message),
}

/// Puts messages together from reports.
#[derive(Debug, Default)]
pub struct Assembler {
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    message: Message,
    expected: usize,
    next_sequence: u8,
}

impl Assembler {
    /// Takes the next report.
    pub fn accept(&mut self, report: &Report) -> Received {
        let [c0, c1, c2, c3, head, data @ ..] = report;
        let channel = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
        if head & INIT_BIT == 0 {
            return self.continuation(channel, *head, data);
        }
        let [high, low, data @ ..] = data;
        let expected = usize::from(u16::from_be_bytes([*high, *low]));
        if expected > MAX_MESSAGE {
            return Received::Refuse(Message::error(channel, error_code::INVALID_LENGTH));
        }
        let message = Message { channel, command: head & !INIT_BIT, payload: Vec::with_capacity(expected) };
        self.extend(Partial { message, expected, next_sequence: 0 }, data)
    }

    fn continuation(&mut self, channel: u32, sequence: u8, data: &[u8]) -> Received {
        match self.partial.take() {
            Some(mut partial) if partial.message.channel == channel => {
                if partial.next_sequence != sequence {
                    return Received::Refuse(Message::error(channel, error_code::INVALID_SEQUENCE));
                }
                partial.next_sequence += 1;
                self.extend(partial, data)
            }
            other => {
                self.partial = other;
                Received::Nothing
            }
        }
    }

    fn extend(&mut self, mut partial: Partial, data: &[u8]) -> Received {
        let missing = partial.expected - partial.message.payload.len();
        partial.message.payload.extend(data.iter().take(missing));
        if partial.message.payload.len() < partial.expected {
            self.partial = Some(partial);
            return Received::Nothing;
        }
        Received::Message(partial.message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::indexing_slicing)]

    use super::{Assembler, MAX_MESSAGE, Message, Received, command, error_code};

    fn message(len: usize) -> Message {
        let payload = (0..len).map(|i| u8::try_from(i % 251).unwrap_or(0)).collect();
        Message { channel: 0x0100_0002, command: command::CBOR, payload }
    }

    #[test]
    fn a_message_of_any_length_survives_its_reports() {
        for len in [0, 1, 57, 58, 116, 117, 1024, MAX_MESSAGE] {
            let mut assembler = Assembler::default();
            let mut reports = message(len).reports();
            let last = reports.pop().unwrap_or([0; 64]);
            for report in &reports {
                assert_eq!(assembler.accept(report), Received::Nothing);
            }
            assert_eq!(assembler.accept(&last), Received::Message(message(len)));
        }
    }

    #[test]
    fn a_report_out_of_order_is_refused() {
        let mut assembler = Assembler::default();
        let reports = message(300).reports();
        assembler.accept(&reports[0]);
        let refused = Received::Refuse(Message::error(0x0100_0002, error_code::INVALID_SEQUENCE));
        assert_eq!(assembler.accept(&reports[2]), refused);
    }

    #[test]
    fn a_report_of_another_channel_does_not_disturb_a_message() {
        let mut assembler = Assembler::default();
        let reports = message(100).reports();
        let mut foreign = Message { channel: 7, ..message(100) }.reports();
        assembler.accept(&reports[0]);
        assert_eq!(assembler.accept(&foreign.remove(1)), Received::Nothing);
        assert_eq!(assembler.accept(&reports[1]), Received::Message(message(100)));
    }

    #[test]
    fn a_message_longer_than_the_protocol_allows_is_refused() {
        let mut report = message(0).reports()[0];
        report[5] = 0xff;
        let refused = Received::Refuse(Message::error(0x0100_0002, error_code::INVALID_LENGTH));
        assert_eq!(Assembler::default().accept(&report), refused);
    }
}
