//! A connection's stream and the bodies of its answers, which note what becomes of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::State;

/// A stream whose progress is noted.
pub(super) struct Watched<S> {
    stream: S,
    state: Arc<State>,
    /// Whether it matters that the peer takes nothing.
    notes_stalls: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, state: Arc<State>, notes_stalls: bool) -> Self {
        Self { stream, state, notes_stalls }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.state.received(crate::clock::now());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if self.notes_stalls {
            self.state.takes(written.is_ready(), crate::clock::now());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.state.flushed(crate::clock::now());
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of a request: until its end, the peer is waited for.
pub(super) struct Question {
    body: Incoming,
    state: Arc<State>,
}

impl Question {
    pub(super) fn new(request: Request<Incoming>, state: &Arc<State>) -> Request<Self> {
        request.map(|body| {
            if body.is_end_stream() {
                state.requested();
            }
            Self { body, state: Arc::clone(state) }
        })
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.state.requested();
    }
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.state.requested();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer: while it lasts, the connection is not idle.
pub(super) struct Answer {
    body: Body,
    state: Arc<State>,
}

impl Answer {
    pub(super) fn new(body: Body, state: Arc<State>) -> Self {
        Self { body, state }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.state.answered();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
