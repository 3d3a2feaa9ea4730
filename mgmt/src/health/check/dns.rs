//! A name server answers. The query has no EDNS option, so that the oldest servers understand it: answers of more than 512
//! bytes come truncated over UDP, and are asked for again over TCP.

use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::{connect, datagrams, failed};
use super::{Stage, Target};
use crate::config::health::{Dns, Transport};
use crate::health::tracker::Outcome;

/// The longest answer over TCP; over UDP none is longer either.
const LARGEST: usize = 65_535;
/// RFC 1035 section 4.1.1.
const HEADER: usize = 12;
/// Messages over TCP that answer other questions. They are the server's own, and so many are no mistake.
const MAX_FOREIGN: usize = 16;
/// Before the deadline of the whole check, which knows nothing of what came over UDP.
const MARGIN: Duration = Duration::from_millis(10);

pub(super) async fn run(
    dns: &Dns,
    target: &Target,
    timeout: Duration,
    stage: &Stage,
) -> Result<Outcome, Outcome> {
    let began = crate::clock::now();
    let query = query(dns);
    let bytes = query.to_vec().map_err(|error| Outcome::fail(format!("cannot ask: {error}")))?;
    match dns.transport {
        Transport::Udp => match over_udp(dns, (&query, &bytes), target, stage).await? {
            Answer::Judged(outcome) => Ok(outcome),
            Answer::Truncated => {
                again(dns, (&query, &bytes), target, began + timeout - MARGIN.min(timeout / 2)).await
            }
        },
        Transport::Tcp => over_tcp(dns, (&query, &bytes), target, stage).await,
    }
}

/// What comes from the server's address and answers another question may be forged, or late: the right answer may follow.
async fn over_udp(
    dns: &Dns,
    (query, bytes): (&Message, &[u8]),
    target: &Target,
    stage: &Stage,
) -> Result<Answer, Outcome> {
    let mut buffer = vec![0; LARGEST];
    // Connected: the kernel hands over what comes from this address alone.
    let socket = datagrams(target).await?;
    socket.send(bytes).await.map_err(failed)?;
    stage.is("waiting for the answer");
    loop {
        let length = socket.recv(&mut buffer).await.map_err(failed)?;
        if let Some(answer) = answer(dns, (query, bytes), &buffer[..length]) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(
    dns: &Dns,
    (query, bytes): (&Message, &[u8]),
    target: &Target,
    stage: &Stage,
) -> Result<Outcome, Outcome> {
    let mut buffer = vec![0; LARGEST];
    let mut stream = connect(target).await?;
    let length = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
    // RFC 1035 section 4.2.2; in one segment, as RFC 7766 section 8 asks.
    stream.write_all(&[&length[..], bytes].concat()).await.map_err(failed)?;
    stage.is("waiting for the answer");
    for _ in 0..MAX_FOREIGN {
        let length = usize::from(stream.read_u16().await.map_err(failed)?);
        stream.read_exact(&mut buffer[..length]).await.map_err(failed)?;
        match answer(dns, (query, bytes), &buffer[..length]) {
            Some(Answer::Judged(outcome)) => return Ok(outcome),
            Some(Answer::Truncated) => return Err(Outcome::fail("the answer is truncated, over TCP, too")),
            None => {}
        }
    }
    Err(Outcome::fail("the answer is to another question"))
}

/// RFC 2181 section 9 and RFC 7766 section 5: what was truncated is asked for over TCP.
async fn again(
    dns: &Dns,
    query: (&Message, &[u8]),
    target: &Target,
    deadline: Instant,
) -> Result<Outcome, Outcome> {
    let truncated = |why: &str| Outcome::fail(format!("truncated over UDP, and TCP: {why}"));
    let stage = Stage::at("connecting");
    let outcome = tokio::time::timeout_at(deadline.into(), over_tcp(dns, query, target, &stage));
    match outcome.await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(outcome)) if !outcome.verdict.has_run() => Err(outcome),
        Ok(Err(outcome)) => Err(truncated(&outcome.said)),
        Err(_) => Err(truncated(&format!("timed out while {}", stage.0.get()))),
    }
}

fn query(dns: &Dns) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(dns.name.clone(), dns.record));
    message
}

/// A message that answers the query.
#[derive(Debug, PartialEq)]
enum Answer {
    /// It is whole, or enough of it is there.
    Judged(Outcome),
    /// The rest did not fit.
    Truncated,
}

/// What an answer means; `None` if it is none to this query.
fn answer(dns: &Dns, (query, asked): (&Message, &[u8]), bytes: &[u8]) -> Option<Answer> {
    // What was cut off may have been cut in the middle of a record, and be no message as a whole.
    let is_truncated = is_truncated(asked, bytes)?;
    // The code stands in the header. Where any records will do, none has to be read.
    if is_truncated && !(dns.answer.is_none() && response_code(bytes) == 0) {
        return Some(Answer::Truncated);
    }
    if is_truncated {
        return Some(Answer::Judged(Outcome::pass("answered, truncated")));
    }
    let message = Message::from_vec(bytes).ok()?;
    let head = &message.metadata;
    if head.id != query.metadata.id || head.message_type != MessageType::Response {
        return None;
    }
    // RFC 5452 section 9.1. A server that refuses may leave the question out.
    let is_refusal = head.response_code != ResponseCode::NoError;
    if message.queries != query.queries && !(is_refusal && message.queries.is_empty()) {
        return None;
    }
    Some(Answer::Judged(match head.response_code {
        ResponseCode::NoError => records(dns, &message),
        code => Outcome::fail(format!("answer {code:?}, wanted NoError")),
    }))
}

/// Of a response to the query: whether it has the TC bit. `None` if it is no such response.
fn is_truncated(asked: &[u8], bytes: &[u8]) -> Option<bool> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (asked_header, question) = asked.split_at_checked(HEADER)?;
    let (is_response, opcode) = (header[2] & 0x80 != 0, header[2] & 0x78);
    if header[..2] != asked_header[..2] || !is_response || opcode != 0 {
        return None;
    }
    if header[2] & 0x02 == 0 {
        return Some(false);
    }
    // The query has nothing behind its one question, and names in a question are not compressed.
    let repeated = rest.get(..question.len()).is_some_and(|same| same.eq_ignore_ascii_case(question));
    (header[4..6] == [0, 0] || repeated).then_some(true)
}

/// The low four bits, which are all without EDNS.
fn response_code(bytes: &[u8]) -> u8 {
    bytes.get(3).map_or(0, |byte| byte & 0x0f)
}

fn records(dns: &Dns, message: &Message) -> Outcome {
    let Some(wanted) = &dns.answer else { return Outcome::pass("answered") };
    let of_kind = message.answers.iter().filter(|record| is_asked(dns.record, record.record_type()));
    let found: Vec<String> = of_kind.map(|record| record.data.to_string()).collect();
    if found.iter().any(|text| plain(text) == plain(wanted)) {
        return Outcome::pass("answered as wanted");
    }
    let shown: Vec<_> = found.iter().take(3).map(|text| text.chars().take(60).collect::<String>()).collect();
    match found.is_empty() {
        true => Outcome::fail(format!("no {} record in the answer", dns.record)),
        false => Outcome::fail(format!("the answer has {}, wanted {wanted}", shown.join(", "))),
    }
}

fn is_asked(asked: RecordType, found: RecordType) -> bool {
    asked == found || asked == RecordType::ANY
}

/// Names are the same with and without a dot at their end, and in any case of letters.
fn plain(text: &str) -> String {
    text.trim().trim_matches('"').trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{A, TXT};
    use hickory_proto::rr::{Name, RData, Record};

    use super::*;

    fn dns(record: RecordType, answer: Option<&str>) -> Dns {
        let name = Name::from_ascii("www.example.org.").unwrap();
        Dns { name, record, answer: answer.map(str::to_owned), transport: Transport::Udp }
    }

    fn answered(dns: &Dns, data: Vec<RData>, change: impl Fn(&mut Message)) -> Option<String> {
        let query = query(dns);
        let mut message = query.clone().into_response();
        message.add_answers(data.into_iter().map(|data| Record::from_rdata(dns.name.clone(), 60, data)));
        change(&mut message);
        let asked = query.to_vec().unwrap();
        judged(answer(dns, (&query, &asked), &message.to_vec().unwrap())?)
    }

    fn judged(answer: Answer) -> Option<String> {
        Some(match answer {
            Answer::Judged(outcome) => outcome.said.into_owned(),
            Answer::Truncated => "truncated".to_owned(),
        })
    }

    fn a(last: u8) -> RData {
        RData::A(A::new(192, 0, 2, last))
    }

    #[test]
    fn one_of_the_records_has_to_be_the_wanted_one() {
        let any = dns(RecordType::A, None);
        assert_eq!(answered(&any, vec![], |_| {}).unwrap(), "answered");
        let wanted = dns(RecordType::A, Some("192.0.2.80"));
        assert_eq!(answered(&wanted, vec![a(1), a(80)], |_| {}).unwrap(), "answered as wanted");
        let wrong = answered(&wanted, vec![a(1)], |_| {}).unwrap();
        assert_eq!(wrong, "the answer has 192.0.2.1, wanted 192.0.2.80");
        assert_eq!(answered(&wanted, vec![], |_| {}).unwrap(), "no A record in the answer");
        let text = dns(RecordType::TXT, Some("be1"));
        let txt = RData::TXT(TXT::new(vec!["be1".to_owned()]));
        assert_eq!(answered(&text, vec![txt], |_| {}).unwrap(), "answered as wanted");
    }

    #[test]
    fn a_refusal_is_a_failure_and_another_answer_is_none() {
        let any = dns(RecordType::A, None);
        let refused = |message: &mut Message| message.metadata.response_code = ResponseCode::Refused;
        assert_eq!(answered(&any, vec![], refused).unwrap(), "answer Refused, wanted NoError");
        let other = |message: &mut Message| message.metadata.id = message.metadata.id.wrapping_add(1);
        assert_eq!(answered(&any, vec![], other), None);
        let asks = |message: &mut Message| message.metadata.message_type = MessageType::Query;
        assert_eq!(answered(&any, vec![], asks), None);
        let another = |message: &mut Message| {
            let name = Name::from_ascii("other.example.org.").unwrap();
            message.queries = vec![Query::query(name, RecordType::A)];
        };
        assert_eq!(answered(&any, vec![], another), None);
        assert_eq!(answered(&any, vec![], |message| message.queries.clear()), None);
        let bare = |message: &mut Message| {
            message.queries.clear();
            message.metadata.response_code = ResponseCode::FormErr;
        };
        assert_eq!(answered(&any, vec![], bare).unwrap(), "answer FormErr, wanted NoError");
        let query = query(&any);
        let asked = query.to_vec().unwrap();
        assert_eq!(answer(&any, (&query, &asked), b"\0\x01garbage"), None);
        assert_eq!(answer(&any, (&query, &asked), b""), None);
    }

    #[test]
    fn a_truncated_answer_is_asked_for_again_unless_nothing_of_it_matters() {
        let truncate = |message: &mut Message| message.metadata.truncation = true;
        let any = dns(RecordType::A, None);
        assert_eq!(answered(&any, vec![], truncate).unwrap(), "answered, truncated");
        let wanted = dns(RecordType::A, Some("192.0.2.80"));
        assert_eq!(answered(&wanted, vec![], truncate).unwrap(), "truncated");
        assert_eq!(answered(&wanted, vec![a(1)], truncate).unwrap(), "truncated");
        let refused = |message: &mut Message| {
            truncate(message);
            message.metadata.response_code = ResponseCode::ServFail;
        };
        assert_eq!(answered(&any, vec![], refused).unwrap(), "truncated", "neither is its code believed");
        let other = |message: &mut Message| {
            truncate(message);
            message.metadata.id = message.metadata.id.wrapping_add(1);
        };
        assert_eq!(answered(&wanted, vec![], other), None);
        let another = |message: &mut Message| {
            truncate(message);
            message.queries =
                vec![Query::query(Name::from_ascii("ww2.example.org.").unwrap(), RecordType::A)];
        };
        assert_eq!(answered(&wanted, vec![], another), None);
        // Cut in the middle of a record.
        let query = query(&wanted);
        let asked = query.to_vec().unwrap();
        let mut message = query.clone().into_response();
        message.add_answers([Record::from_rdata(wanted.name.clone(), 60, a(80))]);
        truncate(&mut message);
        let whole = message.to_vec().unwrap();
        for cut in asked.len()..whole.len() {
            let answer = answer(&wanted, (&query, &asked), &whole[..cut]);
            assert_eq!(answer, Some(Answer::Truncated), "{cut}");
        }
    }

    /// A name server of one answer over each transport, on the loopback interface.
    async fn server(
        over_udp: impl Fn(&Message) -> Vec<Message>,
        over_tcp: Option<fn(&Message) -> Message>,
        wanted: &Dns,
    ) -> Outcome {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = tokio::net::UdpSocket::bind(address).await.unwrap();
        let target = Target {
            address: address.ip(),
            port: dataplane::types::Port(address.port()),
            bind: None,
            way: None,
        };
        let serving = async {
            let mut buffer = [0; 512];
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            for message in over_udp(&query) {
                udp.send_to(&message.to_vec().unwrap(), from).await.unwrap();
            }
            let (mut stream, _) = tcp.accept().await.unwrap();
            let length = usize::from(stream.read_u16().await.unwrap());
            stream.read_exact(&mut buffer[..length]).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let Some(over_tcp) = over_tcp else { return std::future::pending::<()>().await };
            // One to another question comes first.
            let mut other = over_tcp(&query);
            other.metadata.id = other.metadata.id.wrapping_add(1);
            for message in [other, over_tcp(&query)] {
                let bytes = message.to_vec().unwrap();
                stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let timeout = Duration::from_millis(300);
        let stage = Stage::at("connecting");
        let check = tokio::time::timeout(timeout, run(wanted, &target, timeout, &stage));
        tokio::select! {
            () = serving => unreachable!(),
            outcome = check => match outcome {
                Ok(Ok(outcome) | Err(outcome)) => outcome,
                Err(_) => Outcome::fail("too late"),
            },
        }
    }

    fn whole(query: &Message) -> Message {
        let mut message = query.clone().into_response();
        message.add_answers([Record::from_rdata(query.queries[0].name().clone(), 60, a(80))]);
        message
    }

    fn cut(query: &Message) -> Vec<Message> {
        let mut message = query.clone().into_response();
        message.metadata.truncation = true;
        vec![message]
    }

    #[tokio::test]
    async fn what_is_truncated_over_udp_comes_over_tcp() {
        let wanted = dns(RecordType::A, Some("192.0.2.80"));
        assert_eq!(server(cut, Some(whole), &wanted).await, Outcome::pass("answered as wanted"));
        let still: fn(&Message) -> Message = |query| cut(query).remove(0);
        let outcome = server(cut, Some(still), &wanted).await;
        assert_eq!(outcome.said, "truncated over UDP, and TCP: the answer is truncated, over TCP, too");
        let outcome = server(cut, None, &wanted).await;
        assert_eq!(outcome.said, "truncated over UDP, and TCP: timed out while waiting for the answer");
    }

    #[tokio::test]
    async fn answers_to_another_question_are_passed_over() {
        let wanted = dns(RecordType::A, Some("192.0.2.80"));
        let others = |query: &Message| {
            let mut wrong_id = whole(query);
            wrong_id.metadata.id = wrong_id.metadata.id.wrapping_add(1);
            wrong_id.metadata.truncation = true;
            let mut wrong_name = query.clone().into_response();
            wrong_name.queries =
                vec![Query::query(Name::from_ascii("other.example.org.").unwrap(), RecordType::A)];
            vec![wrong_id, wrong_name, query.clone()]
        };
        let right = |query: &Message| [others(query), vec![whole(query)]].concat();
        assert_eq!(server(right, None, &wanted).await, Outcome::pass("answered as wanted"));
        assert_eq!(server(others, None, &wanted).await.said, "too late");
    }
}
