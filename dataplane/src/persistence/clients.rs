//! The table of clients and their servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Server;
use crate::mem::KeyedHash;
use crate::types::Tick;

/// A client of a group of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Whose.
    pub group: u32,
    /// The first address of its network.
    pub network: IpAddr,
}

/// Words of an entry: the one that choices are made by, and three for people and for the time.
///
/// | word | |
/// | --- | --- |
/// | 0 | part of the client's hash 32, server 32; 0: nobody |
/// | 1 | IPv6 1, group 31, when its time is over 32 |
/// | 2, 3 | the network |
type Entry = [AtomicU64; 4];

const WAYS: usize = 4;

/// See the module's head. 32 bytes an entry.
#[derive(Debug)]
pub struct Clients {
    sets: Box<[[Entry; WAYS]]>,
    hash: KeyedHash,
}

const V6: u64 = 1 << 63;
const GROUP: u32 = u32::MAX >> 1;

impl Clients {
    /// Memory for so many, or a few more.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let sets = std::iter::repeat_with(Default::default).take(entries.div_ceil(WAYS).max(1));
        Self { sets: sets.collect(), hash: KeyedHash::random() }
    }

    /// How many there is memory for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    fn hashed(&self, client: Client) -> u64 {
        let bits = match client.network {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let family = u128::from(client.network.is_ipv6());
        self.hash.three([bits, family, u128::from(client.group & GROUP)])
    }

    /// The set, and the part of the hash that an entry keeps.
    fn place(&self, client: Client) -> (&[Entry; WAYS], u64) {
        let hash = self.hashed(client);
        let set = (u128::from(hash) * self.sets.len() as u128) >> 64;
        // There is a set, and the number is below how many there are.
        (&self.sets[usize::try_from(set).unwrap_or(0)], hash << 32)
    }

    /// A client's server, while its time is not over.
    pub(crate) fn find(&self, client: Client, now: Tick) -> Option<Server> {
        let (set, tag) = self.place(client);
        let own = set.iter().find(|entry| is_of(entry[0].load(Relaxed), tag))?;
        let word = own[0].load(Relaxed);
        (is_of(word, tag) && left(own[1].load(Relaxed), now).is_some()).then_some(Server(low(word)))
    }

    /// Remembers a client until `over`: instead of what it had, of what is over, or of what is over first.
    pub(crate) fn put(&self, client: Client, server: Server, over: Tick, now: Tick) {
        let (set, tag) = self.place(client);
        let own = set.iter().find(|entry| is_of(entry[0].load(Relaxed), tag));
        let urgency = |entry: &&Entry| match entry[0].load(Relaxed) {
            0 => 0,
            _ => left(entry[1].load(Relaxed), now).map_or(0, |left| left.saturating_add(1)),
        };
        let Some(entry) = own.or_else(|| set.iter().min_by_key(urgency)) else { return };
        let (family, high, lower) = match client.network {
            IpAddr::V4(v4) => (0, 0, u64::from(v4.to_bits())),
            IpAddr::V6(v6) => (V6, (v6.to_bits() >> 64) as u64, low64(v6.to_bits())),
        };
        entry[1].store(family | u64::from(client.group & GROUP) << 32 | u64::from(over.0), Relaxed);
        entry[2].store(high, Relaxed);
        entry[3].store(lower, Relaxed);
        entry[0].store(tag | u64::from(server.0), Relaxed);
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sets.iter().flatten()
    }

    /// What an entry says; `None`: nobody, or what it says does not fit together while it is written.
    fn read(&self, entry: &Entry) -> Option<(Client, Server, Tick)> {
        let [word, about, high, lower] = [0, 1, 2, 3].map(|at: usize| entry[at].load(Relaxed));
        let network = match about & V6 {
            0 => IpAddr::V4(Ipv4Addr::from_bits(low(lower))),
            _ => IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(lower))),
        };
        let client = Client { group: (about >> 32) as u32 & GROUP, network };
        let fits = word != 0 && is_of(word, self.hashed(client) << 32);
        fits.then_some((client, Server(low(word)), Tick(low(about))))
    }

    /// All clients whose time is not over, with their servers and the time that they have left. `now`: of
    /// [`Dataplane::millis`](crate::Dataplane::millis).
    pub fn list(&self, now: u32) -> impl Iterator<Item = (Client, Server, Duration)> {
        self.entries().filter_map(move |entry| {
            let (client, server, over) = self.read(entry)?;
            let left = left(u64::from(over.0), Tick(now))?;
            Some((client, server, Duration::from_millis(left.into())))
        })
    }

    /// Forgets those that are meant, and those whose time is over, which have to be forgotten before the clock
    /// has gone half a turn. Returns how many were meant.
    pub fn forget(&self, now: u32, is_meant: impl Fn(Client, Server) -> bool) -> usize {
        let mut forgotten = 0;
        for entry in self.entries() {
            let before = entry[0].load(Relaxed);
            let Some((client, server, over)) = self.read(entry) else { continue };
            let is_over = left(u64::from(over.0), Tick(now)).is_none();
            let is_meant = !is_over && is_meant(client, server);
            // Not what somebody has put there meanwhile.
            let gone =
                (is_over || is_meant) && entry[0].compare_exchange(before, 0, Relaxed, Relaxed).is_ok();
            forgotten += usize::from(gone && is_meant);
        }
        forgotten
    }
}

fn is_of(word: u64, tag: u64) -> bool {
    word != 0 && word >> 32 == tag >> 32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half")]
fn low(word: u64) -> u32 {
    word as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half")]
fn low64(word: u128) -> u64 {
    word as u64
}

/// Milliseconds until an entry's time is over; `None`: it is.
fn left(about: u64, now: Tick) -> Option<u32> {
    let left = low(about).wrapping_sub(now.0);
    (left != 0 && left < u32::MAX / 2).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u32) -> Client {
        Client { group: 3, network: IpAddr::V4(Ipv4Addr::from_bits(n)) }
    }

    #[test]
    fn entries_are_listed_and_forgotten() {
        let clients = Clients::new(1000);
        let v6 = Client { group: 9, network: "2001:db8::".parse().unwrap() };
        clients.put(client(7), Server(70), Tick(500), Tick(0));
        clients.put(v6, Server(80), Tick(900), Tick(0));
        let mut listed: Vec<_> =
            clients.list(400).map(|(c, s, left)| (c.group, s.0, left.as_millis())).collect();
        listed.sort_unstable();
        assert_eq!(listed, [(3, 70, 100), (9, 80, 500)]);
        assert_eq!(clients.list(500).count(), 1);
        assert_eq!(clients.forget(600, |_, _| false), 0, "what is over is not told of");
        assert_eq!(clients.forget(0, |c, _| c == client(7)), 0, "it was forgotten");
        assert_eq!(clients.forget(0, |c, s| c == v6 && s == Server(80)), 1);
        assert_eq!(clients.list(0).count(), 0);
    }

    #[test]
    fn a_full_table_remembers_the_latest_and_never_mistakes_a_client() {
        // Of random keys one in some hundred puts more than ten of the latest into full sets.
        let clients = Clients { hash: KeyedHash::fixed(), ..Clients::new(4096) };
        for n in 0..100_000 {
            clients.put(client(n), Server(n), Tick(n + 1_000_000), Tick(n));
        }
        let found = |range: std::ops::Range<u32>| {
            let servers = range.map(|n| (n, clients.find(client(n), Tick(100_000))));
            servers.filter(|(n, server)| server.inspect(|s| assert_eq!(s.0, *n)).is_some()).count()
        };
        assert!(found(99_000..100_000) > 990);
        assert_eq!(found(0..50_000), 0);
        assert!(found(0..100_000) <= clients.capacity());
    }

    #[test]
    fn what_is_over_makes_way_first_also_when_the_clock_has_turned() {
        let clients = Clients::new(1);
        assert_eq!(clients.capacity(), 4);
        let before = Tick(u32::MAX - 10);
        for n in 0..4 {
            clients.put(client(n), Server(n), Tick(before.0.wrapping_add(100 * (4 - n))), before);
        }
        clients.put(client(9), Server(9), Tick(500), Tick(60));
        let found: Vec<_> = (0..4).filter(|n| clients.find(client(*n), Tick(61)).is_some()).collect();
        assert_eq!(found, [0, 1, 2], "the fourth had the least time left");
        clients.put(client(10), Server(10), Tick(900), Tick(150));
        assert!(clients.find(client(2), Tick(151)).is_none() && clients.find(client(9), Tick(151)).is_some());
    }

    #[test]
    fn two_workers_at_once_never_make_up_a_server() {
        let clients = Clients::new(8);
        let work = |from: u32| {
            for n in 0..200_000 {
                let n = (n * 7 + from) % 32;
                clients.put(client(n), Server(n), Tick(1000), Tick(0));
                if let Some(server) = clients.find(client((n + 5) % 32), Tick(0)) {
                    assert_eq!(server.0, (n + 5) % 32);
                }
                clients.list(0).for_each(|(c, s, _)| assert_eq!(c, client(s.0)));
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| work(0));
            scope.spawn(|| work(3));
        });
    }
}
