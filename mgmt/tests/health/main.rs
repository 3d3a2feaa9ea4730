//! Checks against servers on the loopback interface, most of them hostile: whatever a server does, a check ends
//! in time, in bounded memory, and says why.

mod hostile;
mod scripts;
mod well_behaved;

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use dataplane::types::Port;
use mgmt::config::health::Check;
use mgmt::config::{Machine, load_str};
use mgmt::health::check::script::Context;
use mgmt::health::check::{Runner, Target, Workshop};
use mgmt::health::tracker::{Outcome, Verdict};
use mgmt::launcher::Launcher;

/// Beyond a check's own timeout, on a busy machine.
const GRACE: Duration = Duration::from_millis(700);

/// A check as a file has it, ready to run, and its timeout.
fn prepared(keys: &str) -> (Runner, Duration) {
    let (runner, check) = read(keys);
    (runner, check.rules.timeout)
}

fn read(keys: &str) -> (Runner, Check) {
    let text = format!(
        "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
         mode = \"router\"\n[service.health]\n{keys}\n[[service.backend]]\naddress = \"10.0.1.11\"\n"
    );
    let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    let config = load_str("lb.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}")).0;
    let check = config.services[0].backends[0].health.as_ref().unwrap().checks[0].clone();
    let launcher = Launcher(Some(env!("CARGO_BIN_EXE_penstockd").into()));
    let context = Context { service: "web".to_owned() };
    (Workshop::new(launcher, std::sync::Arc::default()).runner(&check.kind, context), check)
}

fn target(port: u16) -> Target {
    Target { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: Port(port), bind: None, way: None }
}

/// Runs a check once; it must not outlast its timeout.
fn check(keys: &str, port: u16) -> Outcome {
    let (runner, check) = read(keys);
    let timeout = check.rules.timeout;
    let target = Target { bind: check.bind, ..target(port) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = now();
    let outcome = runtime.block_on(runner.run(&target, timeout));
    let took = start.elapsed();
    assert!(took < timeout + GRACE, "{took:?}, of {timeout:?}: {outcome:?}");
    outcome
}

fn fails(keys: &str, port: u16) -> String {
    let outcome = check(keys, port);
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome:?}");
    outcome.said.into_owned()
}

fn passes(keys: &str, port: u16) -> String {
    let outcome = check(keys, port);
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
    outcome.said.into_owned()
}

/// A server that does this with its first connection. The port is free again when the test's process ends.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(stream);
    });
    port
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn now() -> Instant {
    mgmt::clock::now()
}
