//! One request to the daemon over its Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// A little longer than the daemon itself waits for its management thread.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The body, empty where there is none.
    pub body: Vec<u8>,
}

impl Call {
    /// Asks for state.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Vec::new() }
    }

    /// Asks for something to be done.
    #[must_use]
    pub fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.into() }
    }
}

impl Call {
    fn changes_nothing(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        self.method == Method::GET || ["/v1/config/check", "/v1/config/plan"].contains(&path)
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body as served.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or not to us.
    #[error("cannot reach the daemon at {path}: {error}; {advice}", path = .path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// The answer takes too long.
    #[error("the daemon at {path} did not answer within {} seconds: see its log", PATIENCE.as_secs(), path = .path.display())]
    Timeout {
        /// The socket.
        path: PathBuf,
    },
    /// What listens there does not speak HTTP.
    #[error("the daemon at {path} broke off: {error}", path = .path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Sends `call` to the daemon at `socket` and waits for its answer.
pub async fn send(socket: &Path, call: Call) -> Result<Answer, ClientError> {
    let path = || socket.to_owned();
    let exchange = async {
        let stream = connect(socket, &call).await.map_err(|error| unreachable_at(socket, error))?;
        exchange(stream, call).await.map_err(|error| ClientError::Protocol { path: path(), error })
    };
    let timed = tokio::time::timeout(PATIENCE, exchange).await;
    timed.unwrap_or_else(|_| Err(ClientError::Timeout { path: path() }))
}

/// Whoever may only look has a socket of their own beside the one that takes changes.
async fn connect(socket: &Path, call: &Call) -> io::Result<UnixStream> {
    match UnixStream::connect(socket).await {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && call.changes_nothing() => {
            UnixStream::connect(socket.with_file_name("view.sock")).await.map_err(|_| error)
        }
        other => other,
    }
}

fn unreachable_at(socket: &Path, error: io::Error) -> ClientError {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "be root or in the group `penstock`, or in `penstock-view` to look only"
        }
        _ => "is penstockd running? --socket or $PENSTOCK_SOCKET name another socket",
    };
    ClientError::Unreachable { path: socket.to_owned(), error, advice }
}

/// An answer that comes bit by bit, for as long as the daemon has something to say.
#[derive(Debug)]
pub(super) struct Stream {
    /// The HTTP status.
    pub status: StatusCode,
    body: hyper::body::Incoming,
    connection: tokio::task::JoinHandle<Result<(), hyper::Error>>,
    path: PathBuf,
}

impl Stream {
    /// The next bit; `None`: that was all.
    ///
    /// # Errors
    /// The daemon breaks off.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let protocol = |error| ClientError::Protocol { path: self.path.clone(), error: Box::new(error) };
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(protocol)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All that is still to come, of an answer that is a refusal.
    ///
    /// # Errors
    /// The daemon breaks off.
    pub(super) async fn rest(mut self) -> Result<Vec<u8>, ClientError> {
        let mut rest = Vec::new();
        while let Some(data) = self.next().await? {
            rest.extend(data);
        }
        Ok(rest)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Sends `call` to the daemon at `socket` and waits for the beginning of its answer.
pub(super) async fn listen(socket: &Path, call: Call) -> Result<Stream, ClientError> {
    let path = || socket.to_owned();
    let begin = async {
        let stream = connect(socket, &call).await.map_err(|error| unreachable_at(socket, error))?;
        let began = begin(stream, call).await;
        let (response, connection) = began.map_err(|error| ClientError::Protocol { path: path(), error })?;
        Ok(Stream { status: response.status(), body: response.into_body(), connection, path: path() })
    };
    let timed = tokio::time::timeout(PATIENCE, begin).await;
    timed.unwrap_or_else(|_| Err(ClientError::Timeout { path: path() }))
}

type Begun = (hyper::Response<hyper::body::Incoming>, tokio::task::JoinHandle<Result<(), hyper::Error>>);

async fn begin(stream: UnixStream, call: Call) -> Result<Begun, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(call.method)
        .uri(call.path)
        .header("host", "localhost")
        .body(Full::new(Bytes::from(call.body)))?;
    Ok((sender.send_request(request).await?, connection))
}

async fn exchange(
    stream: UnixStream,
    call: Call,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (response, connection) = begin(stream, call).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes().to_vec();
    connection.abort();
    Ok(Answer { status, body })
}

/// Makes a word safe in a path or query (RFC 3986 section 2.1). Colons and brackets stay: paths may
/// hold them, and addresses stay readable.
#[must_use]
pub fn encoded(word: &str) -> String {
    let mut path = String::with_capacity(word.len());
    for byte in word.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' => {
                path.push(char::from(byte));
            }
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cannot_break_out_of_their_place_in_a_path() {
        assert_eq!(encoded("[2001:db8::1]:80"), "[2001:db8::1]:80");
        assert_eq!(encoded("a/../b?c=ä&d"), "a%2F..%2Fb%3Fc%3D%C3%A4%26d");
    }
}
