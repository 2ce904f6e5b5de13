//! The key as a client sees it: CTAPHID on the socket, CTAP2 inside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType};
use virtual_key::hid::{Assembler, BROADCAST, Message, Received, command, error_code};

const GET_INFO: u8 = 0x04;
const SELECTION: u8 = 0x0b;
const OK: u8 = 0x00;
const KEEPALIVE_CANCEL: u8 = 0x2d;
const USER_ACTION_TIMEOUT: u8 = 0x2f;

struct Key {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    socket: PathBuf,
}

impl Key {
    fn plug_in(name: &str, options: &[&str]) -> Self {
        let socket = std::env::temp_dir().join(format!("virtual-key-{}-{name}", std::process::id()));
        let mut process = Command::new(env!("CARGO_BIN_EXE_virtual-key"))
            .arg("--exit-with-stdin")
            .arg("--socket")
            .arg(&socket)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut key = Self { process, stdin, stdout, socket };
        key.expect("ready");
        key
    }

    fn touch(&mut self) {
        writeln!(self.stdin.as_mut().unwrap(), "touch").unwrap();
    }

    fn expect(&mut self, event: &str) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), event);
    }

    fn open(&self) -> Client {
        let socket = net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        net::connect(&socket, &SocketAddrUnix::new(&self.socket).unwrap()).unwrap();
        let mut client = Client { socket, channel: BROADCAST };
        client.send(command::INIT, &[1; 8]);
        let answer = client.receive();
        assert_eq!(answer.payload[..8], [1; 8]);
        client.channel = u32::from_be_bytes(answer.payload[8..12].try_into().unwrap());
        client
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

struct Client {
    socket: OwnedFd,
    channel: u32,
}

impl Client {
    fn send(&self, command: u8, payload: &[u8]) {
        for report in (Message { channel: self.channel, command, payload: payload.to_vec() }).reports() {
            let packet: Vec<u8> = [0].into_iter().chain(report).collect();
            net::send(&self.socket, &packet, SendFlags::empty()).unwrap();
        }
    }

    fn receive(&self) -> Message {
        let mut assembler = Assembler::default();
        loop {
            let mut report = [0; 64];
            assert_eq!(net::recv(&self.socket, &mut report[..], RecvFlags::empty()).unwrap().0, 64);
            if let Received::Message(message) = assembler.accept(&report) {
                return message;
            }
        }
    }

    /// The next message that is no sign of life.
    fn answer(&self) -> Message {
        loop {
            let message = self.receive();
            if message.command != command::KEEPALIVE {
                return message;
            }
        }
    }
}

#[test]
fn tells_what_it_can() {
    let key = Key::plug_in("info", &[]);
    let client = key.open();
    client.send(command::CBOR, &[GET_INFO]);
    let info = client.answer().payload;
    assert_eq!(info[0], OK);
    for word in ["FIDO_2_1", "credProtect", "clientPin"] {
        assert!(info.windows(word.len()).any(|window| window == word.as_bytes()), "{word} is missing");
    }
}

#[test]
fn a_touch_counts_only_while_the_key_blinks() {
    let mut early = Key::plug_in("touch-early", &["--touch", "manual", "--up-timeout-ms", "300"]);
    let client = early.open();
    early.touch();
    early.expect("not blinking");
    client.send(command::CBOR, &[SELECTION]);
    early.expect("touch?");
    assert_eq!(client.answer().payload, [USER_ACTION_TIMEOUT]);

    let mut key = Key::plug_in("touch", &["--touch", "manual"]);
    let client = key.open();
    client.send(command::CBOR, &[SELECTION]);
    key.expect("touch?");
    key.touch();
    key.expect("touched");
    assert_eq!(client.answer().payload, [OK]);
}

#[test]
fn a_waiting_request_can_be_cancelled_by_its_own_channel_only() {
    let mut key = Key::plug_in("cancel", &["--touch", "manual"]);
    let (client, stranger) = (key.open(), key.open());
    client.send(command::CBOR, &[SELECTION]);
    key.expect("touch?");
    stranger.send(command::CANCEL, &[]);
    assert_eq!(client.receive().payload, [2], "blinks on");
    client.send(command::CANCEL, &[]);
    assert_eq!(client.answer().payload, [KEEPALIVE_CANCEL]);
}

#[test]
fn a_busy_key_refuses_a_second_program() {
    let mut key = Key::plug_in("busy", &["--touch", "manual", "--busy"]);
    let (client, stranger) = (key.open(), key.open());
    client.send(command::CBOR, &[SELECTION]);
    key.expect("touch?");
    stranger.send(command::CBOR, &[GET_INFO]);
    assert_eq!(stranger.answer(), Message::error(stranger.channel, error_code::CHANNEL_BUSY));
    key.touch();
    assert_eq!(client.answer().payload, [OK]);
}

#[test]
fn leaves_when_its_test_dies() {
    let mut key = Key::plug_in("orphan", &[]);
    key.stdin = None;
    assert!(key.process.wait().unwrap().success());
}
