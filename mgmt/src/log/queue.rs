//! Lines that wait to be written.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;

use super::{BYTES, Format, LINES, LONGEST_LINE};

/// A bounded queue: whoever puts a line into it never waits.
#[derive(Debug)]
pub struct Queue {
    format: Format,
    lines: ArrayQueue<Vec<u8>>,
    /// Of all lines in it, those included that are about to be put.
    bytes: AtomicUsize,
    lost: AtomicU64,
    is_closed: AtomicBool,
    writer: OnceLock<Thread>,
}

impl Queue {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            lines: ArrayQueue::new(LINES),
            bytes: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            writer: OnceLock::new(),
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Lines that were lost since the start: there was no room for them, or they could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a line with its line end; a full queue loses it.
    pub(super) fn put(&self, line: &[u8]) {
        let line = if line.len() > LONGEST_LINE { cut(self.format, line) } else { line.to_vec() };
        let length = line.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        if before + length > BYTES || self.lines.push(line).is_err() {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            self.lose();
        }
        self.wake();
    }

    /// The oldest line.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let line = self.lines.pop()?;
        self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
        Some(line)
    }

    /// The thread that is woken by lines.
    pub(super) fn attach(&self, writer: Thread) {
        // There is one writer in the life of a queue.
        let _: Result<(), Thread> = self.writer.set(writer);
    }

    /// No line that comes from now on has to be written.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// The beginning of a line that is too long. A line of JSON stays an object.
fn cut(format: Format, line: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(line).into_owned();
    match format {
        Format::Text { .. } => {
            text.truncate(text.floor_char_boundary(LONGEST_LINE));
            text.push_str("… (cut)\n");
            text.into_bytes()
        }
        Format::Json => {
            // Quoted once more, it may become twice as long.
            text.truncate(text.floor_char_boundary(LONGEST_LINE / 2));
            let object = serde_json::json!({ "level": "WARN", "cut_bytes": line.len(), "cut_line": text });
            let mut line = object.to_string().into_bytes();
            line.push(b'\n');
            line
        }
    }
}
