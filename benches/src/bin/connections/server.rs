//! The server: reads a request, answers, and waits for the client to close.

use std::net::SocketAddr;

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::{REPLY, REQUEST, Result};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 8192;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to listen: all addresses of the namespace
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(options.listen)?;
        let listener = socket.listen(BACKLOG)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream));
        }
    })
}

/// A connection that breaks is the client's to count.
async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; REQUEST];
    stream.read_exact(&mut request).await?;
    stream.write_all(&[b'.'; REPLY]).await?;
    // The client closes first, so that no connection lingers here.
    while stream.read(&mut request).await? > 0 {}
    Ok(())
}
