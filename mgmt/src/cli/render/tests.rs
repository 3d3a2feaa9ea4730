//! Known answers beside their text.

use super::*;
use crate::api::fake;

fn plain(view: &impl Render) -> String {
    view.render(Style::Plain)
}

#[test]
fn services_and_their_backends_are_two_tables() {
    let expected = "\
SERVICE  PROTOCOL  ADDRESS        MODE    SCHEDULER  STATE  FLOWS  PACKETS-IN  BYTES-IN  PACKETS-OUT  BYTES-OUT
web      tcp       10.0.0.100:80  router  maglev     up         3          10       900            9       4000

SERVICE  BACKEND              STATE  ADMIN    WEIGHT  NOW  FLOWS  TOTAL-FLOWS  PACKETS-IN  BYTES-IN  SINCE  CHECK
web      10.0.1.11:8080       up     enabled     100  100      2            5           7       640  8.1s   -
web      [2001:db8::12]:8080  up     enabled     100  100      2            5           7       640  8.1s   -
";
    assert_eq!(plain(&vec![fake::service()]), expected);
}

#[test]
fn one_arm_services_show_their_pools_and_a_kept_port_is_not_shown() {
    let mut service = fake::service();
    service.address = "2001:db8::/64".to_owned();
    (service.port, service.ports) = (None, "8000-8099".to_owned());
    service.backends.truncate(1);
    service.backends[0].port = None;
    service.snat = Some(view::SnatPool { addresses: 1, used: 48_384, capacity: 64_512 });
    let text = plain(&service);
    assert!(text.contains("[2001:db8::/64]:8000-8099 "), "{text}");
    assert!(text.contains("web      10.0.1.11  up "), "{text}");
    let pools = "
SERVICE  POOL-ADDRESSES  PORTS-USED  PORTS  USED
web                   1       48384  64512   75%
";
    assert!(text.ends_with(pools), "{text}");
}

#[test]
fn a_service_that_had_to_refuse_something_shows_what() {
    let mut service = fake::service();
    (service.pressure, service.stateless_packets, service.recycled_flows) = (true, 7, 90_000);
    service.refused.insert("denied".to_owned(), 12);
    let text = plain(&vec![service, fake::service()]);
    let expected = "
SERVICE  SHARE    GUARANTEED  HALF-OPEN  STATELESS-PACKETS  RECYCLED  REFUSED
web      used-up      524288          1                  7     90000  denied: 12
";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_backend_that_is_down_is_red_on_a_terminal() {
    let mut service = fake::service();
    service.backends[0].state = view::BackendState::Down;
    service.backends[0].check = Some("http".to_owned());
    service.backends[0].last_result = Some("503 Service Unavailable".to_owned());
    let text = service.render(Style::Coloured);
    assert!(text.contains("\x1b[31mdown\x1b[0m"), "{text}");
    assert!(text.contains("http: 503 Service Unavailable"), "{text}");
}

#[test]
fn a_single_service_shows_each_check_and_what_went_up_and_down() {
    let mut service = fake::service();
    service.backends[0].checks.push(view::Check {
        kind: "https".to_owned(),
        up: false,
        contradictions: 1,
        last_result: Some("200 OK".to_owned()),
        warning: Some("certificate ends in 3 days".to_owned()),
        last_seconds: Some(0.2),
        latency_seconds: Some(0.0123),
        since_seconds: 61.0,
        results: 9,
        failures: 3,
        not_run: 0,
    });
    let change = |seconds_ago, state, why: &str| view::Change { seconds_ago, state, why: why.to_owned() };
    service.backends[0].history.push(change(75.0, view::BackendState::Up, "https: 200 OK"));
    service.backends[0].history.push(change(61.0, view::BackendState::Down, "https: connection refused"));
    let text = plain(&service);
    let expected = "
BACKEND         CHECK  STATE  AGAINST  LATENCY  RESULTS  FAILURES  SINCE  RESULT  WARNING
10.0.1.11:8080  https  down   1         12.3ms        9         3  1m01s  200 OK  certificate ends in 3 days

BACKEND         BECAME  AGO    BY
10.0.1.11:8080  down    1m01s  https: connection refused
10.0.1.11:8080  up      1m15s  https: 200 OK
";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn flows_are_one_line_each() {
    let expected = "\
SERVICE  PROTOCOL  CLIENT          VIRTUAL        SNAT  BACKEND         STATE        PACKETS-IN  PACKETS-OUT    AGE  IDLE
web      tcp       10.0.0.2:40112  10.0.0.100:80  -     10.0.1.11:8080  established           4            3  3m20s  0.4s
";
    assert_eq!(plain(&vec![fake::flow()]), expected);
}

#[test]
fn the_status_begins_with_the_node() {
    let expected = "\
Node:              lb1
Version:           0.1.0
Up for:            12s
Configuration:     1
Services:          1
Flows:             3 of 1048576
Flows since start: 5 new, 2 expired, 0 refused
Claimed elsewhere: 10.0.0.100, by 02:00:00:00:00:09, 3 times, 4.0s ago
Log lost:          7 lines: whatever reads the log is too slow, or hangs

INTERFACE  MAC                BRIDGE  XDP     ZERO-COPY  QUEUES  RX-PACKETS  TX-PACKETS  RX-DROPPED
eth0       02:00:00:00:00:01  -       native  no              1        1234          99           0

WORKER  CORE  POLL      PACKETS  BATCHES  BUSY
0          1  adaptive     1234      400    2%
";
    assert_eq!(plain(&fake::status()), expected);
}

#[test]
fn reasons_that_dropped_nothing_are_left_out() {
    let expected = "\
FRAMES    RECEIVED  FORWARDED  TO-LINUX  TO-MANAGEMENT  DROPPED  ORIGINATED
all             10          6         1              1        2           3
worker-0        10          6         0              1        2           3

DROPPED     COUNT  MEANING
no-backend      2  every backend of the service is down

INTERFACE  QUEUE  RX-RING-FULL  FILL-RING-EMPTY  TX-RING-EMPTY  RX-DROPPED
eth0           0             1                0              2           0

4 first segments had no room for the client's address
";
    assert_eq!(plain(&fake::stats()), expected);
}

#[test]
fn a_neighbour_without_a_mac_has_a_dash() {
    let expected = "\
INTERFACE  ADDRESS    MAC  STATE       USED-FOR
eth1       10.0.1.11  -    incomplete  web, dns
";
    assert_eq!(plain(&vec![fake::neighbour()]), expected);
}

#[test]
fn lengths_of_time_are_one_short_word() {
    let words = [0.0, 9.96, 10.0, 59.9, 60.0, 200.0, 18_420.0, 1_047_600.0, -1.0].map(time);
    assert_eq!(words, ["0.0s", "10.0s", "10s", "59s", "1m00s", "3m20s", "5h07m", "12d03h", "0.0s"]);
}

#[test]
fn an_explanation_begins_with_the_answer() {
    let explained = fake::explained("web", "192.0.2.7".parse().unwrap(), 40112);
    let expected = "\
web: 192.0.2.7:40112 to 10.0.0.100:80 gets 10.0.1.11:8080
  scheduler maglev chooses it

BACKEND         WEIGHT  FLOWS  NOTE
10.0.1.11:8080     100      2  takes new flows
";
    assert_eq!(plain(&explained), expected);
    let refused = view::Explained { backend: None, refused: Some("no-backend".to_owned()), ..explained };
    assert!(plain(&refused).contains(" gets nobody (no-backend)\n"));
}

#[test]
fn remembered_clients_are_a_table() {
    let expected = "\
CLIENT        SERVER     LEFT   SERVICES
192.0.2.0/24  10.0.1.11  1m01s  web, tls
";
    assert_eq!(plain(&vec![fake::remembered()]), expected);
    assert_eq!(plain(&Vec::<view::Client>::new()), "nobody is remembered\n");
}

#[test]
fn a_drained_backend_shows_what_is_left() {
    let mut service = fake::service();
    service.backends[0].drain = Some(view::DrainView {
        since_seconds: 8.0,
        oldest_flow_seconds: Some(30.0),
        deadline_seconds: None,
        then: "leave".to_owned(),
    });
    let expected = "
SERVICE  DRAINED         FLOWS-LEFT  OLDEST  SINCE  DEADLINE  THEN
web      10.0.1.11:8080           2  30s     8.0s   -         leave
";
    assert!(plain(&vec![service]).ends_with(expected));
}
