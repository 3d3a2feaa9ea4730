// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// What the steering program is told. Keys are built byte by byte the same way in
// src/xdp/steering/keys.rs.

#pragma once

#define MAX_VIPS 65536
#define MAX_VIP_PREFIXES 4096
#define MAX_ENDPOINTS 262144
#define MAX_LOCALS 16384
#define MAX_MACS (MAX_INTERFACES * 1024)

// The value of a VIP that belongs to a service in bridge mode.
#define VIP_BRIDGE 1

// Flags of `listening`.
#define LISTENING_VRRP 1
#define LISTENING_BFD 2

#define IPV4 4
#define IPV6 6

struct address {
	__u32 family;
	__u8 bytes[16]; // IPv4 in the first four, the rest zero
};

// The bits of `family` count, so that the prefixes of both families live in one trie.
struct prefix {
	__u32 length;
	struct address address;
};

struct endpoint {
	struct address address;
	__be16 port; // 0: every port
	__u8 protocol;
	__u8 zero;
};

struct mac {
	__u32 interface;
	__u8 bytes[6];
	__u8 zero[2];
};

struct frames {
	__u64 passed; // to Linux
	__u64 redirected;
};

#define TABLE(kind, element, size)				\
	struct {						\
		__uint(type, BPF_MAP_TYPE_##kind);		\
		__uint(map_flags, BPF_F_NO_PREALLOC);		\
		__uint(max_entries, size);			\
		__type(key, struct element);			\
		__type(value, __u8);				\
	}

// Virtual addresses, those of source-NAT pools among them.
TABLE(HASH, address, MAX_VIPS) vips SEC(".maps");
TABLE(LPM_TRIE, prefix, MAX_VIP_PREFIXES) vip_prefixes SEC(".maps");
// Where replies come from, and errors about what was sent there.
TABLE(HASH, endpoint, MAX_ENDPOINTS) endpoints SEC(".maps");
// The same without ports, for fragments: the port is 0.
TABLE(HASH, endpoint, MAX_ENDPOINTS) senders SEC(".maps");
// The box's own addresses.
TABLE(HASH, address, MAX_LOCALS) locals SEC(".maps");
// The box's own MAC addresses, by our number of the interface.
TABLE(HASH, mac, MAX_MACS) macs SEC(".maps");

// Our numbers of the interfaces that are ports of a bridge.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, __u8);
} bridge_ports SEC(".maps");

// The kernel's number of an interface to ours.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

// A worker's socket at [our interface number * MAX_QUEUES + queue].
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_INTERFACES * MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct frames);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} listening SEC(".maps");
