//! The log of a program that serves: standard error, or the journal behind it, written by a thread of its own.
//!
//! ```text
//! any thread ──a formatted line──▶ bounded queue ──▶ writer thread ──write(2)──▶ standard error
//!              full: dropped, counted                 blocks alone
//! ```
//!
//! A pipe that is not read, a console after Ctrl-S, a journal that hangs or a full disk stops the writer thread and
//! nothing else. Lost lines are counted, and their number is logged as soon as a line can be written again.

mod queue;
mod writer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

pub use queue::Queue;

use crate::events::{Events, Recording};
use writer::Writer;

/// Lines that wait for the writer.
pub const LINES: usize = 8192;
/// Bytes of all lines that wait.
pub const BYTES: usize = 4 << 20;
/// Bytes of one line; the rest of a longer one is cut off. A long list of configuration errors fits.
pub const LONGEST_LINE: usize = 256 << 10;
/// How long the end of the program waits for lines that are not written yet.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, with or without colours.
    Text {
        /// ANSI escape sequences.
        colours: bool,
    },
    /// An object a line.
    Json,
}

impl Format {
    /// Text as the standard error can show it.
    #[must_use]
    pub fn text() -> Self {
        Self::Text { colours: io::IsTerminal::is_terminal(&io::stderr()) }
    }
}

/// The log. What waits is written when this is dropped, within [`LAST_LINES`].
#[derive(Debug)]
pub struct Log {
    queue: Arc<Queue>,
    events: Arc<Events>,
    writer: Option<Writer>,
}

impl Log {
    /// Takes in all lines and panics of the program from now on; [`Self::start`] begins to write them. `events` gets
    /// the lines that are kept in memory, whatever the filter of the log leaves out.
    #[must_use]
    pub fn install(format: Format, events: Arc<Events>) -> Self {
        let queue = Arc::new(Queue::new(format));
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let lines = layer::<Registry>(&queue).with_filter(filter);
        tracing_subscriber::registry().with(lines).with(Recording(Arc::clone(&events))).init();
        std::panic::set_hook(Box::new(panicked));
        Self { queue, events, writer: None }
    }

    /// Starts the thread that writes to the standard error. It has the rights of its caller.
    ///
    /// # Errors
    /// The kernel gives no thread, or no second descriptor of the standard error.
    pub fn start(&mut self) -> io::Result<()> {
        if self.writer.is_none() {
            let out = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?;
            self.writer = Some(Writer::start(Arc::clone(&self.queue), Arc::clone(&self.events), out)?);
        }
        Ok(())
    }

    /// Where the lines wait, and how many are lost.
    #[must_use]
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A program that ends before it serves has lines to write, too.
        if self.start().is_ok()
            && let Some(writer) = self.writer.take()
        {
            writer.finish(LAST_LINES);
        }
    }
}

/// Formats lines and puts each into the queue as a whole.
fn layer<S>(queue: &Arc<Queue>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    // The layer's own complaints would go to the standard error past the queue.
    let layer = fmt::layer().with_writer(Lines(Arc::clone(queue))).log_internal_errors(false);
    match queue.format() {
        Format::Text { colours } => layer.with_target(false).with_ansi(colours).boxed(),
        Format::Json => layer.json().boxed(),
    }
}

/// The report of lost lines, formatted as all others are; kept with the events as well.
fn lost_lines(format: Format, events: &Arc<Events>, count: u64) -> Vec<u8> {
    let queue = Arc::new(Queue::new(format));
    let subscriber = tracing_subscriber::registry().with(layer(&queue)).with(Recording(Arc::clone(events)));
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!(
            event = "log.lines-lost",
            lines = count,
            "{count} log lines were lost: standard error or the journal took no more"
        );
    });
    queue.take().unwrap_or_default()
}

/// The standard hook writes to the standard error itself, and waits for it.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let what = panic.payload_as_str().unwrap_or("a value that is not text");
    let backtrace = std::backtrace::Backtrace::capture();
    match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => {
            tracing::error!(
                event = "daemon.panicked",
                "thread {name} panicked at {place}: {what}\n{backtrace}"
            );
        }
        _ => tracing::error!(event = "daemon.panicked", "thread {name} panicked at {place}: {what}"),
    }
}

/// One line for each event: the layer writes each with a single call.
struct Lines(Arc<Queue>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a Queue);

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
