//! What it costs to check many backends: ten thousand TCP connections a second, by default, to as many addresses of
//! the loopback interface. The servers are a process of their own, but the kernel does their half of the handshakes on
//! the time of whoever sends: over loopback that is the checks' thread. `scripts/bench-checks` has them elsewhere, as a
//! network has.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use mgmt::config::{Machine, load_str};
use mgmt::health::engine::{Checks, raise_descriptors};
use mgmt::health::plan::{Assignment, plan};
use mgmt::launcher::Launcher;
use socket2::{Domain, Socket, Type};

/// The part of a core, and the memory, that the promise allows.
const PROMISE: (f64, u64) = (0.25, 200 << 20);
const WARM_UP: Duration = Duration::from_secs(3);

#[derive(Debug, Parser)]
struct Arguments {
    /// Backends, each checked once a second
    #[arg(long, default_value_t = 10_000)]
    backends: u32,
    /// How long to measure
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The address before the first backend's; with it, the servers are there already
    #[arg(long)]
    network: Option<Ipv4Addr>,
    /// The other end: takes connections on this port
    #[arg(long, hide = true)]
    serve: Option<u16>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.serve {
        Some(port) => serve(port),
        None => measure(&arguments),
    }
}

fn serve(port: u16) -> ExitCode {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) else { return ExitCode::FAILURE };
    for connection in listener.incoming() {
        drop(connection);
    }
    ExitCode::SUCCESS
}

fn measure(arguments: &Arguments) -> ExitCode {
    const PORT: u16 = 18_080;
    let own = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let start = || Command::new(own).args(["--serve", &PORT.to_string()]).stdin(Stdio::null()).spawn();
    let Ok(mut server) = arguments.network.is_none().then(start).transpose() else {
        return ExitCode::FAILURE;
    };
    if let Err(error) = raise_descriptors() {
        eprintln!("descriptors: {error}");
    }
    let outcome = Checks::start(Launcher::default(), Arc::default(), Arc::default())
        .map(|checks| run(&checks, arguments, PORT));
    if let Some(server) = &mut server {
        let _ = server.kill().and_then(|()| server.wait());
    }
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("no checks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(checks: &Checks, arguments: &Arguments, port: u16) -> bool {
    let network = arguments.network.unwrap_or(Ipv4Addr::new(127, 1, 0, 0));
    let plan = assignments(network, arguments.backends, port);
    checks.follow(plan.clone());
    wait(WARM_UP);
    let (start, cpu, results) = (now(), processor_time(), results(checks, &plan).0);
    wait(Duration::from_secs(arguments.seconds));
    let elapsed = start.elapsed().as_secs_f64();
    let used = processor_time() - cpu;
    let (after, failures, up, slowest) = self::results(checks, &plan);
    let memory = peak_memory();
    let rate = (after - results) as f64 / elapsed;
    let share = used / elapsed;
    println!("{} backends, {up} up, {failures} failures", plan.len());
    println!("{rate:.0} checks a second, slowest of the last {slowest:.1} ms");
    println!("{:.1} % of a core, {:.1} µs a check", share * 100.0, used * 1e6 / (after - results) as f64);
    println!("{:.1} MiB at most", memory as f64 / f64::from(1 << 20));
    if let Some(alone) = connection_alone(network, port) {
        println!(
            "{alone:.1} µs: a socket, a connection that waits for its answer, and its reset, by the kernel alone"
        );
    }
    let is_kept = share < PROMISE.0 && memory < PROMISE.1;
    println!("the promise (25 % of a core, 200 MiB) is {}", if is_kept { "kept" } else { "not kept" });
    is_kept
}

/// One for each address behind `network`.
fn assignments(network: Ipv4Addr, count: u32, port: u16) -> Vec<Assignment> {
    let text = format!(
        "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
         mode = \"router\"\nhealth = {{ check = \"tcp\", interval = \"1s\" }}\n\
         backend = [{{ address = \"10.0.1.11\", port = {port} }}]\n"
    );
    let machine = Machine { cores: 2, hostname: "bench".to_owned(), ..Machine::default() };
    let config = load_str("bench.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}")).0;
    let Some(first) = plan(&config).pop() else { return Vec::new() };
    let with = |number: u32| {
        let address = Ipv4Addr::from_bits(network.to_bits() + number);
        let mut assignment = Assignment { health: Arc::clone(&first.health), ..first.clone() };
        assignment.subject.address = address.into();
        assignment
    };
    (1..=count).map(with).collect()
}

/// Results, failures, backends that are up, and the slowest of the last results in milliseconds.
fn results(checks: &Checks, plan: &[Assignment]) -> (u64, u64, usize, f64) {
    let reports = plan.iter().filter_map(|assignment| checks.board().report(&assignment.subject));
    reports.fold((0, 0, 0, 0.0), |(runs, failures, up, slowest), report| {
        let sum =
            |of: fn(&mgmt::health::board::CheckReport) -> u64| report.checks.iter().map(of).sum::<u64>();
        let latency = report.checks.iter().filter_map(|check| check.latency).max().unwrap_or_default();
        let slowest = f64::max(slowest, latency.as_secs_f64() * 1000.0);
        (runs + sum(|c| c.runs), failures + sum(|c| c.failures), up + usize::from(report.passes), slowest)
    })
}

/// What the kernel takes for a connection without anything around it, in microseconds: no check can cost less.
fn connection_alone(network: Ipv4Addr, port: u16) -> Option<f64> {
    const CONNECTIONS: u32 = 20_000;
    const ADDRESSES: u32 = 1000;
    let before = thread_time();
    for number in 0..CONNECTIONS {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
        socket.set_linger(Some(Duration::ZERO)).ok()?;
        let address = Ipv4Addr::from_bits(network.to_bits() + 1 + number % ADDRESSES);
        socket.connect(&SocketAddr::from((address, port)).into()).ok()?;
    }
    Some((thread_time() - before) * 1e6 / f64::from(CONNECTIONS))
}

/// Of this thread so far, in seconds.
fn thread_time() -> f64 {
    processor_time_of("/proc/thread-self/stat")
}

/// Of this process so far, in seconds: `utime` and `stime` of proc(5), in hundredths.
fn processor_time() -> f64 {
    processor_time_of("/proc/self/stat")
}

fn processor_time_of(file: &str) -> f64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

fn now() -> Instant {
    mgmt::clock::now()
}

fn wait(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the time that is measured")]
    std::thread::sleep(time);
}
