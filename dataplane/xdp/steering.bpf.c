// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// The steering program: the only code of Penstock inside the kernel. It decides one thing, frame by
// frame: to the worker that owns the queue, or on to Linux. It changes nothing in a frame.
//
// To a worker go:
//   - packets to a VIP, whatever they carry, fragments included; also if the VIP is configured as
//     an address of the box;
//   - TCP and UDP from the endpoint of a router-mode backend (the return path), unless they are
//     addressed to the box itself;
//   - ARP requests and IPv6 neighbour solicitations that ask for a VIP;
//   - VRRP and BFD, once somebody listens.
// Only if they are addressed to the MAC of the interface, but ARP, solicitations and VRRP also to many.
// All else is Linux's, VLAN-tagged frames among it, and all of it when a queue has no worker. Every
// frame that is cut short or malformed where this program looks goes to Linux too: refusing is not
// its business.
//
// Keys are built byte by byte the same way in src/xdp/steering.rs.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// The bounds of src/limits.rs; build.rs passes them.
#if !defined(MAX_INTERFACES) || !defined(MAX_QUEUES) || !defined(MAX_EXTENSION_HEADERS)
#error "compile through build.rs"
#endif

#define MAX_VIPS 65536
#define MAX_ENDPOINTS 262144
#define MAX_LOCALS 16384

#define IPV4 4
#define IPV6 6
#define PROTOCOL_VRRP 112
#define BFD_SINGLE_HOP 3784 // RFC 5881 section 4
#define BFD_MULTI_HOP 4784  // RFC 5883 section 5
#define ARP_REQUEST 1
#define NEIGHBOUR_SOLICITATION 135 // RFC 4861 section 4.3

// Flags of `listening`.
#define LISTENING_VRRP 1
#define LISTENING_BFD 2

struct address {
	__u32 family;
	__u8 bytes[16]; // IPv4 in the first four, the rest zero
};

struct endpoint {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

struct frames {
	__u64 passed; // to Linux
	__u64 redirected;
};

#define SET(element, size)					\
	struct {						\
		__uint(type, BPF_MAP_TYPE_HASH);		\
		__uint(map_flags, BPF_F_NO_PREALLOC);		\
		__uint(max_entries, size);			\
		__type(key, struct element);			\
		__type(value, __u8);				\
	}

SET(address, MAX_VIPS) vips SEC(".maps");
SET(endpoint, MAX_ENDPOINTS) endpoints SEC(".maps");
SET(address, MAX_LOCALS) locals SEC(".maps");

// The kernel's number of an interface to ours.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

// The MAC address of our interface of that number, with two zeros behind; all zeros: not known.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, __be64);
} macs SEC(".maps");

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

// The rest of a frame. The verifier wants every access checked against `end`.
struct cursor {
	void *at;
	void *end;
};

// Whom a destination MAC means.
enum recipient { SOMEONE_ELSE, BOX, GROUP, EVERYONE };

#define HAS(cursor, what) ((cursor)->at + sizeof(what) <= (cursor)->end)

static __always_inline struct address ipv4(const void *from)
{
	struct address address = {.family = IPV4};

	__builtin_memcpy(address.bytes, from, 4);
	return address;
}

static __always_inline struct address ipv6(const void *from)
{
	struct address address = {.family = IPV6};

	__builtin_memcpy(address.bytes, from, 16);
	return address;
}

static __always_inline int is_vip(struct address *address)
{
	return bpf_map_lookup_elem(&vips, address) != 0;
}

// Where answers to clients never go: loopback, groups, broadcast, IPv6's link-local.
static __always_inline int is_no_client(const struct address *address)
{
	const __u8 *bytes = address->bytes;

	if (address->family == IPV4)
		return bytes[0] == 127 || bytes[0] >= 224;
	return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

static __always_inline int listens(__u32 flag)
{
	__u32 zero = 0;
	__u32 *flags = bpf_map_lookup_elem(&listening, &zero);

	return flags && (*flags & flag);
}

// The place where virtual MAC addresses will be the box's, too.
static __always_inline enum recipient recipient_of(const struct ethhdr *ethernet, __u32 interface)
{
	__be64 *own = bpf_map_lookup_elem(&macs, &interface), mac = 0;

	__builtin_memcpy(&mac, ethernet->h_dest, ETH_ALEN);
	if (mac == bpf_cpu_to_be64(0xffffffffffff0000))
		return EVERYONE;
	if (ethernet->h_dest[0] & 1)
		return GROUP;
	return own && mac && mac == *own ? BOX : SOMEONE_ELSE;
}

// Transport header of a packet that is not to a VIP: is it for a worker all the same?
static __always_inline int is_return_or_control(struct cursor *c, enum recipient to, __u8 protocol,
						struct address *source, struct address *destination)
{
	struct endpoint key = {.address = *source, .protocol = protocol};
	struct udphdr *ports = c->at; // TCP's ports lie in the same place

	if (protocol == PROTOCOL_VRRP)
		return to != EVERYONE && listens(LISTENING_VRRP);
	if (to != BOX || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return 0;
	if (!HAS(c, struct udphdr))
		return 0;
	if (protocol == IPPROTO_UDP &&
	    (ports->dest == bpf_htons(BFD_SINGLE_HOP) || ports->dest == bpf_htons(BFD_MULTI_HOP)) &&
	    listens(LISTENING_BFD))
		return 1;
	if (is_no_client(destination))
		return 0;
	key.port = ports->source;
	return bpf_map_lookup_elem(&endpoints, &key) && !bpf_map_lookup_elem(&locals, destination);
}

// RFC 826, for IPv4 over Ethernet. A reply is for Linux: it was Linux that asked.
static __always_inline int arp_for_worker(struct cursor *c, enum recipient to)
{
	struct {
		__be16 hardware, protocol;
		__u8 hardware_length, protocol_length;
		__be16 operation;
		__u8 sender_mac[6], sender[4], target_mac[6], target[4];
	} __attribute__((packed)) *arp = c->at;
	struct address target;

	if (to == GROUP || !HAS(c, *arp) || arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(ETH_P_IP) ||
	    arp->hardware_length != 6 || arp->protocol_length != 4 || arp->operation != bpf_htons(ARP_REQUEST))
		return 0;
	target = ipv4(arp->target);
	return is_vip(&target);
}

static __always_inline int ipv4_for_worker(struct cursor *c, enum recipient to)
{
	struct iphdr *ip = c->at;
	struct address source, destination;

	if (!HAS(c, struct iphdr) || ip->version != 4 || ip->ihl < 5)
		return 0;
	destination = ipv4(&ip->daddr);
	if (is_vip(&destination))
		return to == BOX;
	if (ip->frag_off & bpf_htons(0x3fff)) // only the first has ports, and fragments belong together
		return 0;
	source = ipv4(&ip->saddr);
	c->at += ip->ihl * 4;
	return is_return_or_control(c, to, ip->protocol, &source, &destination);
}

// RFC 4861 section 4.3. Most are sent to the target's solicited-node group, not to the VIP itself.
static __always_inline int solicits_vip(struct cursor *c)
{
	struct {
		__u8 type, code;
		__u16 checksum;
		__u32 reserved;
		__u8 target[16];
	} *solicitation = c->at;
	struct address target;

	if (!HAS(c, *solicitation) || solicitation->type != NEIGHBOUR_SOLICITATION)
		return 0;
	target = ipv6(solicitation->target);
	return is_vip(&target);
}

// Moves behind the extension headers (RFC 8200 section 4), up to that of a fragment. Returns the
// protocol there, or -1 if none is found: too many headers, a header cut short.
static __always_inline int skip_extension_headers(struct cursor *c, __u8 next)
{
	struct {
		__u8 next, length;
	} *header;

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		header = c->at;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_AH)
			return next;
		if (!HAS(c, *header))
			return -1;
		// RFC 4302 section 2.2 counts in words of four bytes; two are not counted.
		c->at += next == IPPROTO_AH ? (header->length + 2) * 4 : (header->length + 1) * 8;
		next = header->next;
	}
	return -1;
}

static __always_inline int ipv6_for_worker(struct cursor *c, enum recipient to)
{
	struct ipv6hdr *ip = c->at;
	struct address source, destination;
	int protocol;

	if (!HAS(c, struct ipv6hdr) || ip->version != 6)
		return 0;
	destination = ipv6(&ip->daddr);
	if (is_vip(&destination))
		return to == BOX;
	source = ipv6(&ip->saddr);
	c->at += sizeof(*ip);
	protocol = skip_extension_headers(c, ip->nexthdr);
	if (protocol < 0)
		return 0;
	if (protocol == IPPROTO_ICMPV6)
		return to != EVERYONE && solicits_vip(c);
	return is_return_or_control(c, to, protocol, &source, &destination);
}

static __always_inline int for_worker(struct xdp_md *ctx, __u32 interface)
{
	struct cursor c = {.at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};
	struct ethhdr *ethernet = c.at;
	enum recipient to;

	if (!HAS(&c, struct ethhdr))
		return 0;
	to = recipient_of(ethernet, interface);
	if (to == SOMEONE_ELSE)
		return 0;
	c.at += sizeof(*ethernet);
	switch (ethernet->h_proto) {
	case bpf_htons(ETH_P_IP):
		return ipv4_for_worker(&c, to);
	case bpf_htons(ETH_P_IPV6):
		return ipv6_for_worker(&c, to);
	case bpf_htons(ETH_P_ARP):
		return arp_for_worker(&c, to);
	default:
		return 0;
	}
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	__u32 index = ctx->ingress_ifindex, queue = ctx->rx_queue_index;
	__u32 *interface = bpf_map_lookup_elem(&interfaces, &index);
	struct frames *count;
	int action = XDP_PASS;

	if (!interface)
		return XDP_PASS;
	// Without a socket in that place the answer is XDP_PASS.
	if (queue < MAX_QUEUES && for_worker(ctx, *interface))
		action = bpf_redirect_map(&xsks, *interface * MAX_QUEUES + queue, XDP_PASS);
	count = bpf_map_lookup_elem(&counters, interface);
	if (count) {
		if (action == XDP_REDIRECT)
			count->redirected++;
		else
			count->passed++;
	}
	return action;
}

// The words by which the kernel knows a licence that goes with its own.
char _license[] SEC("license") = "Dual MIT/GPL";
