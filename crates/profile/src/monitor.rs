//! Gives commands to valgrind in a process of the target.
//!
//! `vgdb COMMAND` connects for one command, and valgrind holds the target for a tenth of a second after every
//! connection. So `vgdb` relays one connection that lasts as long as the target, in the protocol that gdb speaks (the
//! *GDB Remote Serial Protocol*). No breakpoint is set and every signal is passed on: the target runs as without it.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use units::cancel::Cancel;

use super::failure::ProfileError;
use super::session::HelperProcess;

/// The numbers that gdb gives to signals.
const SIGNALS: std::ops::Range<u8> = 1..0x95;

/// What stops a process that runs, outside of any packet.
const INTERRUPT: &[u8] = &[3];

/// A connection to valgrind in one process.
pub(super) struct MonitorConnection<'a> {
    tool: &'static str,
    relay: Command,
    helper: HelperProcess,
    commands: ChildStdin,
    replies: ChildStdout,
    received: PacketBuffer,
    is_running: bool,
    cancel: &'a Cancel,
}

impl<'a> MonitorConnection<'a> {
    /// Connects to the process that `relay`, a command line of `vgdb`, names. What `vgdb` says goes to `log`.
    pub(super) fn open(
        tool: &'static str,
        mut relay: Command,
        log: &Path,
        cancel: &'a Cancel,
    ) -> Result<Self, ProfileError> {
        relay.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut helper = HelperProcess::spawn(tool, &mut relay, log)?;
        let (commands, replies) = helper.take_pipes().expect("both are pipes");
        let received = PacketBuffer::default();
        let is_running = false;
        let mut connection =
            Self { tool, relay, helper, commands, replies, received, is_running, cancel };
        connection.request("QStartNoAckMode")?;
        connection.send(b"+")?;
        connection.request(&passed_signals())?;
        Ok(connection)
    }

    /// Has a command obeyed, and lets the process go on.
    pub(super) fn command(&mut self, command: &str) -> Result<(), ProfileError> {
        if self.is_running {
            self.send(INTERRUPT)?;
        }
        let digits: Vec<String> = command.bytes().map(|byte| format!("{byte:02x}")).collect();
        let obeyed = self.request(&format!("qRcmd,{}", digits.concat()));
        // Also where it was not: a process that is held cannot end.
        let resumed = self.send(&packet("c"));
        self.is_running = true;
        obeyed.and(resumed)
    }

    /// Sends a packet and waits until it is obeyed.
    fn request(&mut self, content: &str) -> Result<(), ProfileError> {
        self.send(&packet(content))?;
        loop {
            let reply = self.receive()?;
            match reply.first() {
                _ if reply == b"OK" => return Ok(()),
                // Output, and why the process has stopped.
                Some(b'O' | b'T' | b'S') => {}
                // The process has ended, and so does the relay.
                Some(b'W' | b'X') => return Err(self.ended()),
                _ => {
                    let reply = String::from_utf8_lossy(&reply);
                    return Err(self.failed(format!("valgrind answered `{reply}` to `{content}`")));
                }
            }
        }
    }

    fn receive(&mut self) -> Result<Vec<u8>, ProfileError> {
        const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        const POLLS_MAX: usize = 3_000;
        for _ in 0..POLLS_MAX {
            if let Some(content) = self.received.take() {
                return Ok(content);
            }
            let readable = poll(&mut [PollFd::new(&self.replies, PollFlags::IN)], Some(&POLL));
            if self.cancel.is_raised() {
                return Err(ProfileError::Cancelled);
            }
            match readable {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => self.read()?,
                Err(errno) => return Err(self.failed(io::Error::from(errno).to_string())),
            }
        }
        Err(self.failed("valgrind did not answer".to_owned()))
    }

    fn read(&mut self) -> Result<(), ProfileError> {
        let mut bytes = [0; 4_096];
        match self.replies.read(&mut bytes) {
            Ok(0) => Err(self.ended()),
            Ok(length) => {
                self.received.add(&bytes[..length]);
                Ok(())
            }
            Err(error) => Err(self.failed(error.to_string())),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), ProfileError> {
        self.commands.write_all(bytes).map_err(|_| self.ended())
    }

    /// Why `vgdb` has ended.
    fn ended(&mut self) -> ProfileError {
        match self.helper.end(self.tool, self.cancel) {
            Ok(status) => self.helper.failure(self.tool, &self.relay, status),
            Err(error) => error,
        }
    }

    fn failed(&self, reason: String) -> ProfileError {
        ProfileError::Tool { tool: self.tool, reason }
    }
}

/// A packet that has signals passed on without a stop.
fn passed_signals() -> String {
    let numbers = SIGNALS.map(|number| format!("{number:x}")).collect::<Vec<_>>();
    format!("QPassSignals:{}", numbers.join(";"))
}

/// Returns text as a packet: behind a dollar sign, and with the sum of its bytes.
fn packet(content: &str) -> Vec<u8> {
    let sum = content.bytes().fold(0_u8, u8::wrapping_add);
    format!("${content}#{sum:02x}").into_bytes()
}

/// What was received, until it is a packet.
#[derive(Debug, Default)]
struct PacketBuffer(Vec<u8>);

impl PacketBuffer {
    fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes the first packet, without what frames it, and what is before it. Pipes lose nothing, so sums are not
    /// compared.
    fn take(&mut self) -> Option<Vec<u8>> {
        let start = 1 + self.0.iter().position(|&byte| byte == b'$')?;
        let length = self.0[start..].iter().position(|&byte| byte == b'#')?;
        let end = start + length;
        if self.0.len() < end + 3 {
            return None;
        }
        let content = self.0[start..end].to_vec();
        self.0.drain(..end + 3);
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums are those of gdb's manual and of a session with valgrind 3.19.
    #[test]
    fn packets_have_the_sum_of_their_bytes() {
        let text = |content| String::from_utf8(packet(content)).unwrap();
        assert_eq!(text("QStartNoAckMode"), "$QStartNoAckMode#b0");
        assert_eq!(text("OK"), "$OK#9a");
        assert_eq!(text("c"), "$c#63");
    }

    #[test]
    fn packets_are_the_same_however_they_arrive() {
        let sent = b"+$O7a65#00$T0506:0*,;#ab+$OK#9a$#00";
        for step in 1..=sent.len() {
            let (mut received, mut packets) = (PacketBuffer::default(), Vec::new());
            for piece in sent.chunks(step) {
                received.add(piece);
                packets.extend(std::iter::from_fn(|| received.take()));
            }
            let packets = packets.iter().map(|it| std::str::from_utf8(it).unwrap());
            assert_eq!(packets.collect::<Vec<_>>(), ["O7a65", "T0506:0*,;", "OK", ""], "{step}");
        }
    }

    #[test]
    fn all_signals_are_passed_on() {
        let packet = passed_signals();
        assert!(packet.starts_with("QPassSignals:1;2;") && packet.ends_with(";94"), "{packet}");
    }

    #[test]
    fn a_relay_that_ends_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let cancel = Cancel::default();
        let open = |script: &str| {
            let mut relay = Command::new("sh");
            relay.args(["-c", script]);
            MonitorConnection::open("callgrind", relay, &dir.path().join("vgdb.log"), &cancel)
        };
        let error = open("echo no such process >&2; exit 1").err().unwrap().to_string();
        assert!(error.contains("no such process"), "{error}");
        let error = open("head -c 1 >/dev/null; printf '$E01#a6'; cat").err().unwrap().to_string();
        assert!(error.contains("E01"), "{error}");
    }
}
