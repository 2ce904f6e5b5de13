//! One program that has the key open: its socket stands for one open `/dev/hidraw*`.

use std::{
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::RecvTimeoutError,
    },
    thread,
    time::{Duration, Instant},
};

use ctaphid_app::Command;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::{
    error::Error,
    firmware::Firmware,
    hid::{Assembler, BROADCAST, Message, REPORT_LEN, Received, Report, command, error_code},
};

/// How often a waiting client hears that the key is alive (CTAP 2.1 §11.2.9.1.7).
const KEEPALIVE: Duration = Duration::from_millis(100);
/// How often a `CANCEL` is looked for while the firmware works.
const CANCEL_POLL: Duration = Duration::from_millis(10);

/// CTAPHID 2, device 5.7.1, CBOR and WINK (CTAP 2.1 §11.2.9.1.3).
const INIT_TAIL: [u8; 5] = [2, 5, 7, 1, 0x05];

/// `KEEPALIVE` status bytes (§11.2.9.1.7).
const STATUS_PROCESSING: u8 = 1;
const STATUS_TOUCH_NEEDED: u8 = 2;

/// The plug.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Binds the socket, in place of one that a dead process left behind.
    ///
    /// # Errors
    /// When the path is too long or not writable.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Listen { path: path.to_owned(), source };
        let _ = std::fs::remove_file(path);
        let address = SocketAddrUnix::new(path).map_err(failed)?;
        let socket =
            net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).map_err(failed)?;
        net::bind(&socket, &address).map_err(failed)?;
        net::listen(&socket, 8).map_err(failed)?;
        Ok(Self(socket))
    }

    /// Serves every program that opens the key, each from a thread of its own.
    pub(crate) fn accept_in_background(self, firmware: Arc<Firmware>, busy: bool) {
        let next_channel = Arc::new(AtomicU32::new(0x0100_0001));
        thread::spawn(move || {
            loop {
                let Ok(socket) = net::accept_with(&self.0, SocketFlags::CLOEXEC) else { continue };
                let connection = Connection {
                    socket,
                    firmware: Arc::clone(&firmware),
                    next_channel: Arc::clone(&next_channel),
                    busy,
                };
                thread::spawn(move || connection.serve());
            }
        });
    }
}

struct Connection {
    socket: OwnedFd,
    firmware: Arc<Firmware>,
    next_channel: Arc<AtomicU32>,
    /// Whether a second channel is refused while the firmware works.
    busy: bool,
}

impl Connection {
    /// Answers until the program closes the key.
    fn serve(&self) {
        let mut assembler = Assembler::default();
        while let Some(report) = self.receive(RecvFlags::empty()) {
            match assembler.accept(&report) {
                Received::Message(message) => self.answer(message),
                Received::Refuse(error) => self.send(&error),
                Received::Nothing => {}
            }
        }
    }

    fn answer(&self, message: Message) {
        match message.command {
            command::INIT => self.send(&self.open_channel(message)),
            command::PING => self.send(&message),
            command::WINK => self.send(&Message { payload: Vec::new(), ..message }),
            command::CBOR => self.run(Command::Cbor, message),
            command::MSG => self.run(Command::Msg, message),
            // It came too late: what it was to cancel has ended.
            command::CANCEL => {}
            _ => self.send(&Message::error(message.channel, error_code::INVALID_COMMAND)),
        }
    }

    fn open_channel(&self, mut init: Message) -> Message {
        let channel = match init.channel {
            BROADCAST => self.next_channel.fetch_add(1, Ordering::Relaxed),
            own => own,
        };
        init.payload.extend_from_slice(&channel.to_be_bytes());
        init.payload.extend_from_slice(&INIT_TAIL);
        init
    }

    /// Lets the firmware work, and keeps the client informed meanwhile.
    fn run(&self, command: Command, request: Message) {
        let channel = request.channel;
        if self.busy && self.firmware.is_working() {
            return self.send(&Message::error(channel, error_code::CHANNEL_BUSY));
        }
        let kind = request.command;
        let answer = self.firmware.submit(channel, command, request.payload);
        let mut last_sign_of_life = Instant::now();
        loop {
            match answer.recv_timeout(CANCEL_POLL) {
                Ok(payload) => return self.send(&Message { channel, command: kind, payload }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.cancelled(channel) {
                self.firmware.cancel(channel);
            }
            if last_sign_of_life.elapsed() >= KEEPALIVE {
                last_sign_of_life = Instant::now();
                let status = if self.firmware.needs_touch() { STATUS_TOUCH_NEEDED } else { STATUS_PROCESSING };
                self.send(&Message { channel, command: command::KEEPALIVE, payload: vec![status] });
            }
        }
    }

    fn cancelled(&self, channel: u32) -> bool {
        let Some(report) = self.receive(RecvFlags::DONTWAIT) else { return false };
        let received = Assembler::default().accept(&report);
        matches!(received, Received::Message(m) if m.command == command::CANCEL && m.channel == channel)
    }

    /// The next report, without the report id that hidraw clients write before it.
    fn receive(&self, flags: RecvFlags) -> Option<Report> {
        loop {
            let mut packet = [0; REPORT_LEN + 1];
            let (len, _) = net::recv(&self.socket, &mut packet[..], flags).ok()?;
            if len == 0 {
                return None;
            }
            let [_report_id, report @ ..] = packet;
            if len == packet.len() {
                return Some(report);
            }
            eprintln!("virtual-key: a write of {len} bytes is no report of 1 + {REPORT_LEN} bytes");
        }
    }

    /// A client that went away shows at the next read.
    fn send(&self, message: &Message) {
        for report in message.reports() {
            if net::send(&self.socket, &report, SendFlags::NOSIGNAL).is_err() {
                return;
            }
        }
    }
}
