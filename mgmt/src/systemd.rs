//! Messages to the service manager (sd_notify(3)), which never wait for it: a manager that hangs reads none, and its
//! socket holds few.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The daemon's state, as the service manager is to know it.
#[derive(Debug, Default)]
pub struct Manager {
    /// What could not be sent yet, the watchdog's messages aside.
    unsent: Option<&'static str>,
}

impl Manager {
    /// The start is complete.
    pub fn ready(&mut self) {
        self.send("READY=1");
    }

    /// The daemon ends.
    pub fn stopping(&mut self) {
        self.send("STOPPING=1");
    }

    /// The daemon and its workers live. Sends also what the manager has not taken before.
    pub fn alive(&mut self) {
        if let Some(state) = self.unsent {
            self.send(state);
        }
        report(notify("WATCHDOG=1"));
    }

    fn send(&mut self, state: &'static str) {
        let sent = notify(state);
        let is_full = sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        self.unsent = is_full.then_some(state);
        report(sent);
    }
}

fn report(sent: io::Result<()>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "the service manager took no message");
    }
}

/// Sends one message, if a service manager has started the program.
fn notify(state: &str) -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) => notify_at(&socket, state),
        None => Ok(()),
    }
}

fn notify_at(socket: &OsStr, state: &str) -> io::Result<()> {
    // A name that begins with @ is in the abstract namespace (unix(7)).
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_that_reads_nothing_is_not_waited_for() {
        let dir = crate::api::fake::fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut sent = 0;
        let error = loop {
            match notify_at(path.as_os_str(), "WATCHDOG=1") {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let mut buffer = [0; 64];
        let mut received = 0;
        manager.set_nonblocking(true).unwrap();
        while let Ok(length) = manager.recv(&mut buffer) {
            assert_eq!(&buffer[..length], b"WATCHDOG=1");
            received += 1;
        }
        assert_eq!(received, sent);
        notify_at(path.as_os_str(), "READY=1").unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn names_with_an_at_sign_are_abstract() {
        let name = format!("penstock-notify-{}", std::process::id());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        notify_at(OsStr::new(&format!("@{name}")), "READY=1").unwrap();
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
    }
}
