//! What the keys of admission become, and what is said of those that are without effect.

use dataplane::admission::Limits;
use dataplane::types::Prefix;
use mgmt::config::{self, Config, Diagnostic, Machine};

fn load(keys: &str) -> (Config, Vec<Diagnostic>) {
    let text = format!(
        "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
         mode = \"router\"\n{keys}\nbackend = [{{ address = \"10.0.1.11\", upper_threshold = 7 }}, \
         {{ address = \"10.0.1.12\" }}]\n"
    );
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    config::load_str("lb.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}"))
}

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix::new(address.parse().unwrap(), length).unwrap()
}

#[test]
fn lists_are_sorted_and_limits_of_zero_are_none() {
    let (config, warnings) = load(
        "allow = [\"fd00::/8\", \"10.0.0.7\", \"0.0.0.0/0\", \"10.0.0.7/32\"]\ndeny = [\"10.0.0.0/8\"]\n\
         limits = { flows = 1_000, new_per_second = 100, new_per_second_per_source = 0 }",
    );
    assert_eq!(warnings, []);
    let service = &config.services[0];
    let allowed = [prefix("0.0.0.0", 0), prefix("10.0.0.7", 32), prefix("fd00::", 8)];
    assert_eq!(&*service.access.allow, allowed);
    assert_eq!(&*service.access.deny, [prefix("10.0.0.0", 8)]);
    let limits = Limits { flows: Some(1000), new_per_second: Some(100), new_per_second_per_source: None };
    assert_eq!(service.limits, limits);
    let thresholds: Vec<_> =
        service.backends.iter().map(|backend| backend.thresholds.map(|t| t.upper())).collect();
    assert_eq!(thresholds, [Some(7), None]);
}

#[test]
fn what_contradicts_itself_is_warned_of() {
    let (_, warnings) = load(
        "allow = [\"10.0.0.0/8\"]\ndeny = [\"10.0.0.0/8\", \"10.1.0.0/16\"]\n\
         limits = { new_per_second = 10, new_per_second_per_source = 10 }",
    );
    let messages: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    let expected =
        ["10.0.0.0/8 is both allowed and denied", "`new_per_second_per_source = 10` is without effect"];
    assert_eq!(messages, expected);
}

#[test]
fn a_list_of_a_hundred_thousand_prefixes_is_read_and_compared_in_no_time() {
    use std::fmt::Write;
    let mut list = String::new();
    for n in 0..100_000_u32 {
        write!(list, "\"{}/24\", ", std::net::Ipv4Addr::from_bits(0x0b00_0000 + n * 256)).unwrap();
    }
    let (config, warnings) = load(&format!("deny = [{list}]"));
    assert_eq!((config.services[0].access.deny.len(), warnings.len()), (100_000, 0));
    let (other, _) = load(&format!("deny = [{list}\"172.16.0.0/12\"]"));
    let changes = config::plan::plan(&config, &other).changes;
    assert_eq!(changes, ["service web: deny: 1 added, 0 removed, 100001 in all"]);
}
