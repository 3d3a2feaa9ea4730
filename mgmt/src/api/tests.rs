//! The control socket, spoken to over the socket itself.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::Rights;
use super::fake::{self, FakeDaemon};
use super::server::{BindError, Server};
use crate::config::MAX_FILE;

const GOOD: &str = "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
                    port = 80\nmode = \"router\"\nbackend = [{ address = \"10.0.1.11\" }]\n";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[tokio::test]
async fn every_state_has_a_route_and_the_fields_of_the_contract() {
    let daemon = FakeDaemon::start();
    let contract = [
        (
            "/v1/status",
            "checks_stalled config_generation disputes flows interfaces log_lines_lost node services uptime_seconds \
             version vrrp workers",
        ),
        (
            "/v1/services/web",
            "active_flows address backends backup bytes_in bytes_out clashed_flows guaranteed_flows half_open_flows mode name packets_in \
             packets_out port ports pressure protocol quorum recycled_flows refused scheduler snat \
             stateless_packets syn_proxy up",
        ),
        ("/v1/stats", "bfd_refused client_address_omitted drops frames rings workers"),
    ];
    for (path, fields) in contract {
        let (status, body) = daemon.call("GET", path, "").await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(keys(&body), fields.split_whitespace().collect::<Vec<_>>(), "{path}");
    }
    let lists = [
        (
            "/v1/services",
            "active_flows address backends backup bytes_in bytes_out clashed_flows guaranteed_flows half_open_flows mode name packets_in \
             packets_out port ports pressure protocol quorum recycled_flows refused scheduler snat \
             stateless_packets syn_proxy up",
        ),
        (
            "/v1/flows",
            "age_seconds backend client idle_seconds packets_in packets_out protocol service snat state virtual",
        ),
        ("/v1/persistence", "client left_seconds server services"),
        ("/v1/interfaces", "bridge mac name queues rx_dropped rx_packets tx_packets vlan_tags xdp zero_copy"),
        ("/v1/neighbours", "address interface mac state used_for"),
    ];
    for (path, fields) in lists {
        let (status, body) = daemon.call("GET", path, "").await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(keys(&body[0]), fields.split_whitespace().collect::<Vec<_>>(), "{path}");
    }
    assert_eq!(daemon.call("GET", "/v1/vrrp", "").await.1, json!([]));
    let (_, services) = daemon.call("GET", "/v1/services", "").await;
    let fields = "active_flows address admin bytes_in check checks closing_flows drain effective_weight handshakes \
                  history last_change_seconds last_result lower_threshold overloaded packets_in port priority_group state \
                  total_flows upper_threshold weight";
    assert_eq!(keys(&services[0]["backends"][0]), fields.split_whitespace().collect::<Vec<_>>());
    daemon.stop().await;
}

#[tokio::test]
async fn flows_are_limited_and_filtered() {
    let daemon = FakeDaemon::start();
    assert_eq!(daemon.call("GET", "/v1/flows?limit=2", "").await.1.as_array().unwrap().len(), 2);
    assert_eq!(daemon.call("GET", "/v1/flows?service=nope", "").await.0, 404);
    for wrong in ["limit=x", "limit=100001", "lmit=3"] {
        let (status, body) = daemon.call("GET", &format!("/v1/flows?{wrong}"), "").await;
        assert_eq!(status, 400, "{wrong}");
        assert!(body["error"].is_string(), "{wrong}: {body}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_words() {
    let daemon = FakeDaemon::start();
    let (status, body) = daemon.call("GET", "/v1/services/nope", "").await;
    assert_eq!(status, 404);
    assert_eq!(body["error"], "there is no service \"nope\": `penstock services` lists them");
    assert_eq!(daemon.call("GET", "/v2/status", "").await.1["error"], "there is no /v2/status");
    let (status, body) = daemon.call("DELETE", "/v1/status", "").await;
    assert_eq!(status, 405);
    assert_eq!(body["error"], "/v1/status does not take DELETE");
}

#[tokio::test]
async fn backends_are_changed_by_name() {
    let daemon = FakeDaemon::start();
    let path = "/v1/services/web/backends/10.0.1.11:8080";
    let (status, body) = daemon.call("PATCH", path, r#"{"admin":"drain","weight":7}"#).await;
    assert_eq!((status.as_u16(), &body["admin"], &body["weight"]), (200, &json!("drain"), &json!(7)));
    for ipv6 in ["[2001:db8::12]:8080", "%5B2001%3Adb8%3A%3A12%5D%3A8080", "2001:db8::12"] {
        let path = format!("/v1/services/web/backends/{ipv6}");
        assert_eq!(daemon.call("PATCH", &path, r#"{"weight":1}"#).await.0, 200, "{ipv6}");
    }
    let refused = [
        ("web", "10.0.1.99:8080", r#"{"weight":1}"#, 404),
        ("nope", "10.0.1.11:8080", r#"{"weight":1}"#, 404),
        ("web", "backend-1", r#"{"weight":1}"#, 400),
        ("web", "10.0.1.11:8080", "", 400),
        ("web", "10.0.1.11:8080", "{}", 400),
        ("web", "10.0.1.11:8080", r#"{"weight":70000}"#, 400),
        ("web", "10.0.1.11:8080", r#"{"admin":"off"}"#, 400),
        ("web", "10.0.1.11:8080", r#"{"wieght":1}"#, 400),
    ];
    for (service, backend, body, expected) in refused {
        let path = format!("/v1/services/{service}/backends/{backend}");
        let (status, answer) = daemon.call("PATCH", &path, body).await;
        assert_eq!(status, expected, "{service} {backend} {body}");
        assert!(answer["error"].as_str().is_some_and(|e| !e.is_empty()), "{answer}");
    }
}

#[tokio::test]
async fn configurations_are_checked_planned_and_applied() {
    let daemon = FakeDaemon::start();
    let checked = daemon.call("POST", "/v1/config/check", GOOD).await;
    assert_eq!(checked.1, json!({"services": 1, "backends": 1, "diagnostics": []}));
    let planned = json!({"changes": ["service web is added"], "needs_restart": [], "config_generation": 1,
                         "diagnostics": []});
    let (_, mut answer) = daemon.call("POST", "/v1/config/plan", GOOD).await;
    answer.as_object_mut().unwrap().remove("forecast");
    assert_eq!(answer, planned);
    assert_eq!(daemon.call("POST", "/v1/config/apply", GOOD).await.1["config_generation"], 2);

    let bad = GOOD.replace("port", "prt");
    let (status, body) = daemon.call("POST", "/v1/config/apply?name=lb.toml", &bad).await;
    assert_eq!(status, 422);
    assert_eq!(body["error"], "lb.toml has 2 errors; nothing was changed");
    assert_eq!(body["details"][1]["place"]["line"], 6);

    let two_interfaces = format!("{GOOD}[[interface]]\nname = \"eth1\"\n");
    let (status, body) = daemon.call("POST", "/v1/config/apply", &two_interfaces).await;
    assert_eq!(status, 409);
    assert_eq!(body["details"][0]["message"], "needs a restart: interfaces: 1 -> 2");
    assert_eq!(daemon.call("POST", "/v1/reload", "").await.0, 500);
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_text() {
    let daemon = FakeDaemon::start();
    let call = crate::cli::Call::post("/v1/config/check", vec![0xff, 0xfe]);
    assert_eq!(crate::cli::send(&daemon.socket, call).await.unwrap().status, 400);
    let (status, body) = daemon.call("POST", "/v1/config/check", &"#".repeat(MAX_FILE + 1)).await;
    assert_eq!(status, 413, "{body}");
    assert!(body["error"].is_string());
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let daemon = FakeDaemon::start();
    let (status, body) = daemon.call("GET", "/metrics", "").await;
    assert_eq!(status, 200);
    let text = body.as_str().unwrap();
    for line in [
        "penstock_build_info{node=\"lb1\",version=\"0.1.0\"} 1",
        "penstock_frames_total{verdict=\"forwarded\"} 6",
        "penstock_drops_total{reason=\"truncated\"} 0",
        "penstock_interface_packets_total{interface=\"eth0\",direction=\"rx\"} 1234",
        "penstock_service_bytes_out_total{service=\"web\"} 4000",
        "penstock_backend_up{service=\"web\",backend=\"[2001:db8::12]:8080\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let families: Vec<_> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let sample = line.split(['{', ' ']).next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| sample.strip_suffix(part));
        let is_histogram = |name: &&str| families.contains(&format!("{name} histogram").as_str());
        let name = of_histogram.filter(is_histogram).unwrap_or(sample);
        let declared = families.iter().filter(|f| f.split(' ').next() == Some(name)).count();
        assert_eq!(declared, 1, "{name}");
    }
}

#[tokio::test]
async fn the_socket_is_closed_to_others_and_gone_after_the_stop() {
    let daemon = FakeDaemon::start();
    let socket = daemon.socket.clone();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    daemon.stop().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_live_socket_is_left_alone_and_a_dead_one_replaced() {
    let daemon = FakeDaemon::start();
    let second = Server::bind(&daemon.socket, Rights::Full);
    assert!(matches!(second, Err(BindError::InUse { .. })), "{second:?}");
    assert_eq!(daemon.call("GET", "/v1/status", "").await.0, 200, "the first one lives on");

    let dir = fake::fresh_dir();
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind, as after kill -9");
    drop(Server::bind(&path, Rights::Full).unwrap());
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(Server::bind(&path, Rights::Full), Err(BindError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_daemon_that_has_stopped_listening_to_itself_says_so() {
    let dir = fake::fresh_dir();
    let socket = dir.join("control.sock");
    let (requests, inbox) = super::request::channel();
    drop(inbox);
    let server =
        tokio::spawn(Server::bind(&socket, Rights::Full).unwrap().run(requests, std::future::pending()));
    let answer = crate::cli::send(&socket, crate::cli::Call::get("/v1/status")).await.unwrap();
    assert_eq!(answer.status, 503);
    server.abort();
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn configurations_are_applied_for_a_time_confirmed_and_taken_back() {
    let daemon = FakeDaemon::start();
    let (status, body) = daemon.call("POST", "/v1/config/apply?name=lb.toml&confirm=60", GOOD).await;
    assert_eq!((status.as_u16(), &body["confirm_within_seconds"]), (200, &json!(60)));
    for wrong in ["0", "86401", "1m"] {
        let path = format!("/v1/config/apply?confirm={wrong}");
        assert_eq!(daemon.call("POST", &path, GOOD).await.0, 400, "{wrong}");
    }
    let (_, confirmed) = daemon.call("POST", "/v1/config/confirm", "").await;
    // The fake gives the caller's uid back as the name: it is ours, whoever runs the tests.
    assert_eq!(confirmed["name"], rustix::process::getuid().as_raw().to_string());
    assert_eq!(daemon.call("POST", "/v1/config/rollback?to=9", "").await.0, 404);
    let (_, history) = daemon.call("GET", "/v1/config/history", "").await;
    let fields = "at confirm_within_seconds how in_force name number uid user";
    assert_eq!(keys(&history[0]), fields.split_whitespace().collect::<Vec<_>>());
    assert_eq!(daemon.call("GET", "/v1/config/history/3", "").await.1, json!("# number 3\n"));
}

#[tokio::test]
async fn a_plan_has_a_forecast_and_what_was_applied_has_none() {
    let daemon = FakeDaemon::start();
    let (_, planned) = daemon.call("POST", "/v1/config/plan", GOOD).await;
    let fields =
        "flows flows_cut flows_of_leaving_backends mtu services snat table_bytes table_bytes_planned";
    assert_eq!(keys(&planned["forecast"]), fields.split_whitespace().collect::<Vec<_>>());
    let (_, applied) = daemon.call("POST", "/v1/config/apply", GOOD).await;
    assert!(
        applied.get("forecast").is_none() && applied.get("confirm_within_seconds").is_none(),
        "{applied}"
    );
}

#[tokio::test]
async fn the_socket_for_looking_takes_questions_and_no_changes() {
    let daemon = FakeDaemon::start_with(Rights::View);
    assert_eq!(daemon.call("GET", "/v1/status", "").await.0, 200);
    for path in ["/v1/config/check", "/v1/config/plan"] {
        assert_eq!(daemon.call("POST", path, GOOD).await.0, 200, "{path}");
    }
    let changes = [
        ("POST", "/v1/config/apply"),
        ("POST", "/v1/config/confirm"),
        ("POST", "/v1/config/rollback"),
        ("POST", "/v1/reload"),
        ("PATCH", "/v1/services/web/backends/10.0.1.11:8080"),
        ("DELETE", "/v1/persistence"),
    ];
    for (method, path) in changes {
        let (status, body) = daemon.call(method, path, "{\"weight\":1}").await;
        assert_eq!(status, 403, "{method} {path}");
        assert!(body["error"].as_str().is_some_and(|error| error.contains("control.sock")), "{body}");
    }
}
