//! The log against readers that stall, go away, and come back.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

use super::*;

/// More than a pipe or a socket holds, and less than the queue does.
const MANY: usize = LINES / 2;

fn text() -> Arc<Queue> {
    Arc::new(Queue::new(Format::Text { colours: false }))
}

fn line(number: usize) -> Vec<u8> {
    format!("line {number} {}\n", "x".repeat(180)).into_bytes()
}

fn start(queue: &Arc<Queue>, out: impl Into<std::os::fd::OwnedFd>) -> (Writer, Arc<Events>) {
    let events = Arc::<Events>::default();
    (Writer::start(Arc::clone(queue), Arc::clone(&events), out.into()).unwrap(), events)
}

/// The reader of a test gives up instead of waiting for a line that never comes.
fn read_until(stream: &mut UnixStream, end: &str) -> String {
    let mut text = String::new();
    read_while(stream, &mut text, |text| !text.contains(end));
    text
}

/// Adds to `text`, of which a line may come in two pieces, while that is asked for.
fn read_while(stream: &mut UnixStream, text: &mut String, is_needed: impl Fn(&str) -> bool) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = vec![0; 64 << 10];
    while is_needed(text) {
        let length = stream.read(&mut buffer).expect("more of the log");
        assert!(length > 0, "the log ended after {:?}", text.lines().last());
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
}

/// The sum of all reports of lost lines.
fn reported(log: &str) -> u64 {
    let reports = log.match_indices(" log lines were lost").map(|(at, _)| &log[..at]);
    reports.map(|before| before.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn a_reader_that_stalls_delays_no_line_and_learns_how_many_it_has_missed() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let queue = text();
    let (writer, events) = start(&queue, ours);
    let began = crate::clock::now();
    for number in 0..3 * LINES {
        queue.put(&line(number));
    }
    assert!(crate::clock::now() - began < Duration::from_secs(5), "a full log makes its writers wait");
    let lost = queue.lost();
    assert!(lost > 0 && lost < 3 * LINES as u64, "{lost}");
    let mut read = read_until(&mut theirs, "log lines were lost");
    assert!(read.starts_with("line 0 x"), "the oldest lines are kept");
    queue.put(b"and on\n");
    read += &read_until(&mut theirs, "and on\n");
    read_while(&mut theirs, &mut read, |read| reported(read) < lost);
    assert_eq!(reported(&read), lost);
    let kept = read.lines().filter(|line| line.starts_with("line ")).count() as u64;
    assert_eq!(kept + lost, 3 * LINES as u64);
    let event = events.after(0).pop().unwrap();
    assert_eq!((event.kind.as_str(), event.text.contains(" lines=")), ("log.lines-lost", true));
    writer.finish(Duration::from_secs(5));
}

#[test]
fn lines_and_bytes_are_bounded() {
    let queue = text();
    for number in 0..LINES + 10 {
        queue.put(format!("{number}\n").as_bytes());
    }
    assert_eq!(queue.lost(), 10);
    let queue = text();
    for _ in 0..100 {
        queue.put(&[b'x'; LONGEST_LINE]);
    }
    assert_eq!(queue.lost(), 100 - (BYTES / LONGEST_LINE) as u64);
    while queue.take().is_some() {}
    queue.put(&[b'x'; LONGEST_LINE]);
    assert!(queue.take().is_some(), "room is given back");
}

#[test]
fn long_lines_are_cut_and_json_stays_json() {
    let long = "ä\"".repeat(LONGEST_LINE);
    let queue = text();
    queue.put(long.as_bytes());
    let cut = String::from_utf8(queue.take().unwrap()).unwrap();
    assert!(cut.len() <= LONGEST_LINE + 16 && cut.ends_with("… (cut)\n"), "{}", cut.len());
    let queue = Queue::new(Format::Json);
    queue.put(long.as_bytes());
    let cut = queue.take().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&cut).unwrap();
    assert_eq!(object["cut_bytes"], long.len());
    assert!(cut.ends_with(b"\n") && cut.len() <= LONGEST_LINE + 128, "{}", cut.len());
}

#[test]
fn the_end_writes_what_waits_and_does_not_wait_for_a_reader_that_stalls() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let queue = text();
    queue.put(b"cannot start: before the writer\n");
    let (writer, _) = start(&queue, ours);
    queue.put(b"last\n");
    writer.finish(Duration::from_secs(20));
    let mut read = String::new();
    theirs.read_to_string(&mut read).unwrap();
    assert_eq!(read, "cannot start: before the writer\nlast\n");

    let (ours, _theirs) = UnixStream::pair().unwrap();
    let queue = text();
    let (writer, _) = start(&queue, ours);
    (0..MANY).for_each(|number| queue.put(&line(number)));
    let began = crate::clock::now();
    writer.finish(Duration::from_millis(200));
    assert!(crate::clock::now() - began < Duration::from_secs(5));
}

#[test]
fn a_full_disk_loses_lines_and_nothing_else() {
    let queue = text();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (writer, _) = start(&queue, full);
    (0..10).for_each(|number| queue.put(&line(number)));
    writer.finish(Duration::from_secs(20));
    assert_eq!(queue.lost(), 10);
}

#[tokio::test]
async fn a_reader_that_is_gone_is_survived() {
    // Programs ignore the signal, and test programs do not.
    let _caught = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::pipe()).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let queue = text();
    let (writer, _) = start(&queue, ours);
    (0..10).for_each(|number| queue.put(&line(number)));
    writer.finish(Duration::from_secs(20));
    assert_eq!(queue.lost(), 10);
}

#[test]
fn a_descriptor_that_others_made_non_blocking_loses_nothing() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let queue = text();
    let (writer, _) = start(&queue, ours);
    (0..MANY).for_each(|number| queue.put(&line(number)));
    let read = read_until(&mut theirs, &format!("line {} ", MANY - 1));
    assert_eq!((queue.lost(), read.lines().count() >= MANY), (0, true));
    writer.finish(Duration::from_secs(20));
}

#[test]
fn events_become_lines_of_either_form() {
    for format in [Format::Text { colours: false }, Format::Json] {
        let queue = Arc::new(Queue::new(format));
        let subscriber = tracing_subscriber::registry().with(layer(&queue));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(event = "some.thing", n = 7, "is so");
        });
        let line = String::from_utf8(queue.take().unwrap()).unwrap();
        assert!(queue.take().is_none(), "one line");
        assert!(line.ends_with('\n') && line.contains("is so"), "{line}");
        if format == Format::Json {
            let object: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&object["fields"]["n"], &object["level"]), (&7.into(), &"INFO".into()));
        }
        let report = lost_lines(format, &Arc::default(), 5);
        assert!(String::from_utf8(report).unwrap().contains("5 log lines were lost"));
    }
}
