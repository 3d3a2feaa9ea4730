//! A name server answers.

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::{connect, datagrams, failed};
use super::{Stage, Target};
use crate::config::health::{Dns, Transport};
use crate::health::tracker::Outcome;

/// The longest answer over TCP; over UDP none is longer either.
const LARGEST: usize = 65_535;

pub(super) async fn run(dns: &Dns, target: &Target, stage: &Stage) -> Result<Outcome, Outcome> {
    let query = query(dns);
    let bytes = query.to_vec().map_err(|error| Outcome::fail(format!("cannot ask: {error}")))?;
    let mut buffer = vec![0; LARGEST];
    match dns.transport {
        Transport::Udp => {
            let socket = datagrams(target).await?;
            socket.send(&bytes).await.map_err(failed)?;
            stage.is("waiting for the answer");
            loop {
                let length = socket.recv(&mut buffer).await.map_err(failed)?;
                // What is no answer to this question may be forged, or late: the real one may follow.
                if let Some(outcome) = answer(dns, &query, &buffer[..length]) {
                    return Ok(outcome);
                }
            }
        }
        Transport::Tcp => {
            let mut stream = connect(target).await?;
            let length = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
            // RFC 1035 section 4.2.2; in one segment, as RFC 7766 section 8 asks.
            stream.write_all(&[&length[..], &bytes].concat()).await.map_err(failed)?;
            stage.is("waiting for the answer");
            let length = usize::from(stream.read_u16().await.map_err(failed)?);
            stream.read_exact(&mut buffer[..length]).await.map_err(failed)?;
            let wrong = || Outcome::fail("the answer is to another question");
            answer(dns, &query, &buffer[..length]).ok_or_else(wrong)
        }
    }
}

fn query(dns: &Dns) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(dns.name.clone(), dns.record));
    message
}

/// What an answer says; `None` if it is none to this query.
fn answer(dns: &Dns, query: &Message, bytes: &[u8]) -> Option<Outcome> {
    let message = Message::from_vec(bytes).ok()?;
    let head = &message.metadata;
    if head.id != query.metadata.id || head.message_type != MessageType::Response {
        return None;
    }
    if !message.queries.is_empty() && message.queries != query.queries {
        return None;
    }
    Some(match head.response_code {
        ResponseCode::NoError => records(dns, &message),
        code => Outcome::fail(format!("answer {code:?}, wanted NoError")),
    })
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
        answer(dns, &query, &message.to_vec().unwrap()).map(|outcome| outcome.said.into_owned())
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
        assert!(answer(&any, &query(&any), b"\0\x01garbage").is_none());
    }
}
