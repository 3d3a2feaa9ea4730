//! A mail server greets.

pub mod dialogue;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::socket::{connect, failed};
use super::{Stage, Target, tls};
use crate::config::health::Smtp;
use crate::health::tracker::Outcome;
use dialogue::{Dialogue, Step};

pub(super) async fn run(
    smtp: &Smtp,
    tls: Option<&tls::Client>,
    target: &Target,
    stage: &Stage,
) -> Result<Outcome, Outcome> {
    let mut stream = connect(target).await?;
    let mut dialogue = Dialogue::new(&smtp.helo, tls.is_some());
    if let Some(outcome) = talk(&mut stream, &mut dialogue, stage).await? {
        return Ok(outcome);
    }
    let Some(tls) = tls else { return Err(Outcome::fail("the server began TLS unasked")) };
    stage.is("in the TLS handshake");
    let (mut stream, warning) = tls.handshake(tls.name(None, target.address)?, stream).await?;
    stream.write_all(dialogue.encrypted().as_bytes()).await.map_err(failed)?;
    let outcome = talk(&mut stream, &mut dialogue, stage).await?;
    let outcome = outcome.unwrap_or_else(|| Outcome::fail("the server began TLS twice"));
    Ok(Outcome { warning: warning.map(Into::into), ..outcome })
}

/// Up to the end, or, with `None`, up to the beginning of TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    dialogue: &mut Dialogue<'_>,
    stage: &Stage,
) -> Result<Option<Outcome>, Outcome> {
    let mut buffer = [0; 1024];
    loop {
        stage.is(dialogue.stage());
        let length = stream.read(&mut buffer).await.map_err(failed)?;
        if length == 0 {
            return Err(Outcome::fail(format!("connection closed while {}", dialogue.stage())));
        }
        match dialogue.push(&buffer[..length]) {
            Step::Wait => {}
            Step::Send(text) => stream.write_all(text.as_bytes()).await.map_err(failed)?,
            Step::BeginTls => return Ok(None),
            Step::Done(outcome) => return Ok(Some(outcome)),
        }
    }
}
