//! An HTTP/1.x answer, taken in as it comes (RFC 9112). Pure, and of bounded memory whatever is sent: one
//! line of the head is kept at a time, and nothing of the body.

/// The longest line of a head, its end included.
const MAX_LINE: usize = 16 * 1024;
/// The longest head, of all interim answers together.
const MAX_HEAD: usize = 128 * 1024;

/// What is wrong with an answer; follows "the answer ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first line is none of HTTP/1.x.
    #[error("is not HTTP")]
    NotHttp,
    /// A line of the head.
    #[error("has a line of more than {} KiB in its head, the most that a check reads", MAX_LINE >> 10)]
    LongLine,
    /// The whole head.
    #[error("has a head of more than {} KiB, the most that a check reads", MAX_HEAD >> 10)]
    LongHead,
    /// A header without a colon, or two lengths that differ.
    #[error("has a broken header")]
    Header,
    /// The chunks of the body.
    #[error("has a broken chunk")]
    Chunk,
    /// The connection ended too early.
    #[error("ends before it is complete")]
    Short,
    /// The connection ended before the answer began.
    #[error("is empty")]
    Empty,
}

/// Where the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first line of an answer.
    StatusLine,
    /// A header, or the empty line.
    Header,
    /// So many bytes of a body of known length.
    Fixed(u64),
    /// A body that ends with the connection.
    UntilEnd,
    /// The line before a chunk.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd,
    /// The lines behind the last chunk.
    Trailer,
    /// Nothing more.
    Done,
}

/// See the module's head.
#[derive(Debug)]
pub struct Reader {
    state: State,
    line: Vec<u8>,
    head: usize,
    status: Option<u16>,
    length: Option<u64>,
    is_chunked: bool,
    /// The answer to HEAD has no body whatever its headers say.
    is_head: bool,
}

impl Reader {
    /// `is_head`: the request's method was HEAD.
    #[must_use]
    pub fn new(is_head: bool) -> Self {
        let state = State::StatusLine;
        Self { state, line: Vec::new(), head: 0, status: None, length: None, is_chunked: false, is_head }
    }

    /// Takes in what came; `body` gets the pieces of the body.
    pub fn push(&mut self, mut bytes: &[u8], mut body: impl FnMut(&[u8])) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            match self.state {
                State::Done => return Ok(()),
                State::UntilEnd => {
                    body(bytes);
                    return Ok(());
                }
                State::Fixed(left) | State::Chunk(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (piece, rest) = bytes.split_at(length);
                    body(piece);
                    bytes = rest;
                    self.took(left - piece.len() as u64);
                }
                State::StatusLine | State::Header | State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    let (piece, rest) = match bytes.iter().position(|byte| *byte == b'\n') {
                        Some(end) => bytes.split_at(end + 1),
                        None => (bytes, &[][..]),
                    };
                    bytes = rest;
                    self.more_of_a_line(piece)?;
                }
            }
        }
        Ok(())
    }

    fn took(&mut self, left: u64) {
        self.state = match (self.state, left) {
            (State::Fixed(_), 0) => State::Done,
            (State::Fixed(_), left) => State::Fixed(left),
            (State::Chunk(_), 0) => State::ChunkEnd,
            (State::Chunk(_), left) => State::Chunk(left),
            (
                state @ (State::StatusLine
                | State::Header
                | State::UntilEnd
                | State::ChunkSize
                | State::ChunkEnd
                | State::Trailer
                | State::Done),
                0 | 1..,
            ) => state,
        };
    }

    fn more_of_a_line(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        self.head += piece.len();
        if self.line.len() + piece.len() > MAX_LINE {
            return Err(Malformed::LongLine);
        }
        // The lines between chunks are not of the head; they are as short as any line.
        let is_of_the_head = matches!(self.state, State::StatusLine | State::Header | State::Trailer);
        if is_of_the_head && self.head > MAX_HEAD {
            return Err(Malformed::LongHead);
        }
        self.line.extend_from_slice(piece);
        // What is no HTTP need not end its line to be found out.
        let start = &self.line[..self.line.len().min(5)];
        if self.state == State::StatusLine && !b"HTTP/".starts_with(start) {
            return Err(Malformed::NotHttp);
        }
        if self.line.last() != Some(&b'\n') {
            return Ok(());
        }
        let mut line = std::mem::take(&mut self.line);
        let next = self.whole_line(line.trim_ascii_end());
        line.clear();
        self.line = line;
        self.state = next?;
        Ok(())
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<State, Malformed> {
        match self.state {
            State::StatusLine => {
                self.status = Some(status_of(line).ok_or(Malformed::NotHttp)?);
                Ok(State::Header)
            }
            State::Header if line.is_empty() => Ok(self.after_the_head()),
            State::Header => self.header(line).map(|()| State::Header),
            State::ChunkSize => match chunk_size(line).ok_or(Malformed::Chunk)? {
                0 => Ok(State::Trailer),
                size => Ok(State::Chunk(size)),
            },
            State::ChunkEnd if line.is_empty() => Ok(State::ChunkSize),
            State::ChunkEnd => Err(Malformed::Chunk),
            State::Trailer if line.is_empty() => Ok(State::Done),
            State::Trailer => Ok(State::Trailer),
            state @ (State::Fixed(_) | State::UntilEnd | State::Chunk(_) | State::Done) => Ok(state),
        }
    }

    /// How long the body is: RFC 9112 section 6.3.
    fn after_the_head(&mut self) -> State {
        match self.status {
            // An interim answer: the real one follows (RFC 9110 section 15.2). 101 is the last one.
            Some(100 | 102..=199) => {
                (self.length, self.is_chunked, self.status) = (None, false, None);
                State::StatusLine
            }
            Some(101 | 204 | 304) => State::Done,
            _ if self.is_head => State::Done,
            _ if self.is_chunked => State::ChunkSize,
            _ => match self.length {
                Some(0) => State::Done,
                Some(length) => State::Fixed(length),
                None => State::UntilEnd,
            },
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Malformed> {
        // A folded line goes on with the header before, of which nothing is wanted (section 5.2).
        if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Malformed::Header)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).map_err(|_| Malformed::Header)?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let length = digits.parse().ok().filter(|_| is_number).ok_or(Malformed::Header)?;
            if self.length.is_some_and(|other| other != length) {
                return Err(Malformed::Header);
            }
            self.length = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or(value).trim_ascii();
            self.is_chunked = last.eq_ignore_ascii_case(b"chunked");
        }
        Ok(())
    }

    /// The connection has ended.
    pub fn end(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::Done => Ok(()),
            State::UntilEnd => {
                self.state = State::Done;
                Ok(())
            }
            State::StatusLine if self.head == 0 => Err(Malformed::Empty),
            State::StatusLine
            | State::Header
            | State::Fixed(_)
            | State::ChunkSize
            | State::Chunk(_)
            | State::ChunkEnd
            | State::Trailer => Err(Malformed::Short),
        }
    }

    /// The status, once the head is complete.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let is_complete = !matches!(self.state, State::StatusLine | State::Header);
        self.status.filter(|_| is_complete)
    }

    /// Whether the answer is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

/// `HTTP/1.1 200 OK`: RFC 9112 section 4. The phrase may be missing.
fn status_of(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [minor, b' ', code @ ..] = rest else { return None };
    let end = code.iter().position(|byte| *byte == b' ').unwrap_or(code.len());
    let code = std::str::from_utf8(&code[..end]).ok()?;
    let code = code.parse().ok().filter(|_| code.len() == 3)?;
    (minor.is_ascii_digit() && (100..1000).contains(&code)).then_some(code)
}

/// RFC 9112 section 7.1; what follows a semicolon is of no concern.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let digits = std::str::from_utf8(line[..end].trim_ascii()).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_number)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
