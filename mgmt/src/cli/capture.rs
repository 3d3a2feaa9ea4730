//! `penstock capture`: packets into a file, as the daemon shows them.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::client::{Call, ClientError, encoded, listen};
use super::table::Style;
use super::{Failure, Session};
use crate::pcapng::Blocks;

/// Which packets, and where to.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    penstock capture --service web --limit 100 -w web.pcapng\n  \
    penstock capture --client 192.0.2.7 --duration 30s -w client.pcapng\n  \
    penstock capture --drop no-backend -w - | tshark -r - -T fields -e frame.comment")]
pub struct CaptureArguments {
    /// Only packets of this service, in both directions
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only packets from or to this address
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// Only packets that are dropped for this reason
    #[arg(long, value_name = "CODE")]
    drop: Option<String>,
    /// End after so many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// End after this time [default: a day]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// The pcapng file; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
}

impl CaptureArguments {
    fn call(&self) -> Call {
        let mut given = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            given.extend(value.map(|value| format!("{name}={}", encoded(&value))));
        };
        say("service", self.service.clone());
        say("client", self.client.map(|client| client.to_string()));
        say("drop", self.drop.clone());
        say("limit", self.limit.map(|limit| limit.to_string()));
        say("seconds", self.duration.map(|duration| duration.as_secs_f64().to_string()));
        Call::post(format!("/v1/capture?{}", given.join("&")), "")
    }
}

impl<O: Write, E: Write> Session<'_, O, E> {
    pub(super) async fn capture(&mut self, arguments: &CaptureArguments) -> Result<(), Failure> {
        let to_stdout = arguments.write.as_os_str() == "-";
        if to_stdout && self.terminal.style == Style::Coloured {
            return Err(Failure::refused(
                "packets are nothing to read on a terminal: -w FILE, or a pipe behind -w -",
            ));
        }
        let mut stream = listen(&self.socket, arguments.call()).await?;
        if !stream.status.is_success() {
            let body = stream.rest().await?;
            return Err(self.refusal(&body));
        }
        let mut file = if to_stdout { None } else { Some(create(&arguments.write)?) };
        let mut blocks = Blocks::default();
        loop {
            let bytes = tokio::select! {
                bytes = stream.next() => bytes?,
                // What was written so far is a file.
                _ = tokio::signal::ctrl_c() => None,
            };
            let Some(bytes) = bytes else { break };
            let whole = blocks.take(&bytes).map_err(|error| ClientError::Protocol {
                path: self.socket.clone(),
                error: Box::new(error),
            })?;
            match &mut file {
                Some(file) => file.write_all(&whole)?,
                None => {
                    self.terminal.out.write_all(&whole)?;
                    self.terminal.out.flush()?;
                }
            }
        }
        let Blocks { packets, lost, .. } = blocks;
        let lost = if lost > 0 { format!("; {lost} more were lost for want of room") } else { String::new() };
        self.terminal.tell(&format!("{packets} frames in {}{lost}\n", arguments.write.display()));
        Ok(())
    }
}

/// What crosses the box is for nobody else's eyes.
fn create(path: &PathBuf) -> Result<File, Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.map_err(|error: io::Error| Failure::refused(format!("cannot write {}: {error}", path.display())))
}
