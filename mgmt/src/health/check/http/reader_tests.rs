use proptest::prelude::*;

use super::*;

/// The status and the body of an answer that comes in pieces of `size`, and then ends.
fn read(answer: &[u8], size: usize) -> Result<(u16, Vec<u8>), Malformed> {
    let (mut reader, mut body) = (Reader::new(false), Vec::new());
    for piece in answer.chunks(size) {
        reader.push(piece, |piece| body.extend_from_slice(piece))?;
    }
    if !reader.is_done() {
        reader.end()?;
    }
    Ok((reader.status().unwrap(), body))
}

fn whole(answer: &str) -> Result<(u16, String), Malformed> {
    let (status, body) = read(answer.as_bytes(), usize::MAX)?;
    Ok((status, String::from_utf8(body).unwrap()))
}

fn is(answer: &str, status: u16, body: &str) {
    for size in [1, 2, 3, 7, 1000] {
        assert_eq!(
            read(answer.as_bytes(), size),
            Ok((status, body.as_bytes().to_vec())),
            "{answer:?} by {size}"
        );
    }
}

#[test]
fn the_length_of_a_body_is_told_in_each_of_its_ways() {
    is("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", 200, "hello");
    is("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end");
    is(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: t\r\n\r\n",
        200,
        "abc0123456789",
    );
    is("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "");
    is("HTTP/1.1 404\r\nCONTENT-LENGTH:0\r\n\r\n", 404, "");
    is("HTTP/1.1 200 OK\nContent-Length: 2\nX: a\n b\n\nok", 200, "ok");
    is(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        200,
        "x",
    );
}

#[test]
fn interim_answers_are_passed_over() {
    is(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 1\r\n\r\nx",
        503,
        "x",
    );
}

#[test]
fn the_status_is_known_once_the_head_is_complete() {
    let mut reader = Reader::new(true);
    reader.push(b"HTTP/1.1 301 Moved\r\nContent-Length: 99\r\n\r", |_| {}).unwrap();
    assert_eq!((reader.status(), reader.is_done()), (None, false));
    reader.push(b"\n", |_| {}).unwrap();
    assert_eq!((reader.status(), reader.is_done()), (Some(301), true), "HEAD has no body");
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(whole("SSH-2.0-OpenSSH_9.2\r\n"), Err(Malformed::NotHttp));
    assert_eq!(whole("SSH"), Err(Malformed::NotHttp), "found out before its line ends");
    assert_eq!(whole("HTTP/1.1 20 OK\r\n\r\n"), Err(Malformed::NotHttp));
    assert_eq!(whole("HTTP/2 200 OK\r\n\r\n"), Err(Malformed::NotHttp));
    assert_eq!(whole(""), Err(Malformed::Empty));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nX: y"), Err(Malformed::Short));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), Err(Malformed::Header));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"), Err(Malformed::Header));
    assert_eq!(
        whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        Err(Malformed::Header)
    );
    assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"), Err(Malformed::Header));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), Err(Malformed::Short));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), Err(Malformed::Chunk));
    assert_eq!(
        whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"),
        Err(Malformed::Chunk)
    );
}

#[test]
fn endless_heads_end_by_their_bounds() {
    let line = format!("HTTP/1.1 200 {}", "x".repeat(MAX_LINE));
    assert_eq!(whole(&line), Err(Malformed::LongLine));
    let words = "has a line of more than 16 KiB in its head, the most that a check reads";
    assert_eq!(Malformed::LongLine.to_string(), words);
    let head = format!("HTTP/1.1 200 OK\r\n{}", "Name: value\r\n".repeat(MAX_HEAD));
    assert_eq!(whole(&head), Err(Malformed::LongHead));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_HEAD);
    assert_eq!(whole(&interim), Err(Malformed::LongHead));
    let trailers =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}", "a: b\r\n".repeat(MAX_HEAD));
    assert_eq!(whole(&trailers), Err(Malformed::LongHead));
}

#[test]
fn no_more_than_a_line_is_kept_of_a_long_body() {
    let mut reader = Reader::new(false);
    reader.push(b"HTTP/1.1 200 OK\r\n\r\n", |_| {}).unwrap();
    let mut bytes = 0;
    for _ in 0..1000 {
        reader.push(&[b'x'; 10_000], |piece| bytes += piece.len()).unwrap();
    }
    assert_eq!(bytes, 10_000_000);
    assert!(reader.line.capacity() < 1000);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_say_the_same(
        head in prop_oneof![Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..]), Just(&b"HTTP/1."[..]), Just(&b""[..])],
        rest in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'2'), any::<u8>()], 0..60),
        size in 1_usize..9,
    ) {
        let answer = [head, &rest].concat();
        let at_once = read(&answer, usize::MAX).is_ok();
        prop_assert_eq!(read(&answer, size).is_ok(), at_once);
    }
}
