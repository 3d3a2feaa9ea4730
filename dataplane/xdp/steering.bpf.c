// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// The steering program: the only code of Penstock on the way of a frame inside the kernel. It decides
// one thing, frame by frame: to the worker that owns the queue, or on to Linux. It changes nothing in
// a frame, but for a VLAN tag that the kernel carries beside it: that one is put back for a worker.
//
// To a worker go:
//   - packets to a VIP or to an address of a source-NAT pool, whatever they carry, fragments included;
//     also if the VIP is configured as an address of the box. An address of the box that merely lies
//     within a VIP that is a prefix stays Linux's;
//   - what may belong to a flow whose replies pass through the box without being addressed to it (the
//     return path of router and bridge mode): TCP and UDP from a backend's endpoint, fragments of that
//     protocol from its address, which have no ports but in the first, and ICMP errors about a packet
//     that was sent to the endpoint; all of it unless it is addressed to the box itself;
//   - ARP requests, neighbour solicitations, and advertisements to many, that are about a VIP;
//   - VRRP and BFD, once somebody listens;
// all of it also behind up to two VLAN tags, and only if it is addressed to a MAC of the box on that
// interface; ARP, neighbour discovery and VRRP also to many. On a port of a bridge the box stands in the way
// of frames that are addressed to others: there packets to a VIP of a bridge service, and what may
// belong to a flow, are taken whatever station they are addressed to. That an endpoint is not marked as
// one of a router or of a bridge does no harm: what has no flow is routed or bridged by the worker, as
// Linux would have done.
//
// All else is Linux's, and all of it when a queue has no worker. Every frame that is cut short or
// malformed where this program looks goes to Linux too: refusing is not its business.

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

#include "steering/maps.h"
#include "steering/parse.h"
#include "steering/tag.h"

#define PROTOCOL_VRRP 112
#define BFD_SINGLE_HOP 3784 // RFC 5881 section 4
#define BFD_MULTI_HOP 4784  // RFC 5883 section 5
#define ARP_REQUEST 1
#define NEIGHBOUR_SOLICITATION 135  // RFC 4861 section 4.3
#define NEIGHBOUR_ADVERTISEMENT 136 // RFC 4861 section 4.4

// Whom a destination MAC means.
enum recipient {
	SOMEONE_ELSE,
	ACROSS, // another station, and we are a port of the bridge that leads there
	BOX,
	GROUP,
	EVERYONE,
};

static __always_inline int is_local(struct address *address)
{
	return bpf_map_lookup_elem(&locals, address) != 0;
}

// The VIP's flags; none: it is no VIP.
static __always_inline __u8 *vip(struct address *address)
{
	struct prefix key = {.length = 8 * sizeof(*address), .address = *address};
	__u8 *flags = bpf_map_lookup_elem(&vips, address);

	if (flags)
		return flags;
	flags = bpf_map_lookup_elem(&vip_prefixes, &key);
	return flags && !is_local(address) ? flags : 0;
}

// Where answers to clients never go: loopback, groups, broadcast, IPv6's link-local.
static __always_inline int is_no_client(const struct address *address)
{
	const __u8 *bytes = address->bytes;

	if (address->family == IPV4)
		return bytes[0] == 127 || bytes[0] >= 224;
	return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

static __always_inline int is_endpoint(const struct address *address, __u8 protocol, __be16 port)
{
	struct endpoint key = {.address = *address, .protocol = protocol, .port = port};

	if (bpf_map_lookup_elem(&endpoints, &key))
		return 1;
	key.port = 0;
	return bpf_map_lookup_elem(&endpoints, &key) != 0;
}

static __always_inline int is_sender(const struct address *address, __u8 protocol)
{
	struct endpoint key = {.address = *address, .protocol = protocol};

	return bpf_map_lookup_elem(&senders, &key) != 0;
}

static __always_inline int listens(__u32 flag)
{
	__u32 zero = 0;
	__u32 *flags = bpf_map_lookup_elem(&listening, &zero);

	return flags && (*flags & flag);
}

static __always_inline enum recipient recipient_of(const struct ethhdr *ethernet, __u32 interface)
{
	struct mac key = {.interface = interface};

	__builtin_memcpy(key.bytes, ethernet->h_dest, ETH_ALEN);
	if (key.bytes[0] & 1) {
		__u8 all = key.bytes[0] & key.bytes[1] & key.bytes[2] & key.bytes[3] & key.bytes[4] & key.bytes[5];

		return all == 0xff ? EVERYONE : GROUP;
	}
	if (bpf_map_lookup_elem(&macs, &key))
		return BOX;
	return bpf_map_lookup_elem(&bridge_ports, &interface) ? ACROSS : SOMEONE_ELSE;
}

// An ICMP error (RFC 792, RFC 4443) about a packet that was sent to a backend's endpoint.
static __always_inline int is_error_of_flow(struct cursor *c, int family)
{
	struct {
		__u8 type, code;
		__u16 checksum;
		__u32 rest;
	} *icmp = look(c, sizeof(*icmp));
	struct packet quoted;
	struct udphdr *ports;

	if (!icmp || !is_error(family, icmp->type))
		return 0;
	c->at += sizeof(*icmp);
	if (!(family == IPV6 ? parse_ipv6(c, &quoted) : parse_ipv4(c, &quoted)))
		return 0;
	ports = look(c, sizeof(*ports));
	return has_ports(quoted.protocol) && quoted.piece != LATER && ports &&
	       is_endpoint(&quoted.destination, quoted.protocol, ports->dest);
}

// A packet to neither a VIP nor the box itself.
static __always_inline int may_be_of_flow(struct cursor *c, struct packet *packet)
{
	struct udphdr *ports = look(c, sizeof(*ports)); // TCP's ports lie in the same place

	if (has_ports(packet->protocol)) {
		if (packet->piece != WHOLE)
			return is_sender(&packet->source, packet->protocol);
		return ports && is_endpoint(&packet->source, packet->protocol, ports->source);
	}
	if (packet->piece != WHOLE)
		return 0;
	if (packet->source.family == IPV4)
		return packet->protocol == IPPROTO_ICMP && is_error_of_flow(c, IPV4);
	return packet->protocol == IPPROTO_ICMPV6 && is_error_of_flow(c, IPV6);
}

static __always_inline int is_bfd(struct cursor *c, struct packet *packet)
{
	struct udphdr *udp = look(c, sizeof(*udp));

	return packet->protocol == IPPROTO_UDP && packet->piece == WHOLE && udp &&
	       (udp->dest == bpf_htons(BFD_SINGLE_HOP) || udp->dest == bpf_htons(BFD_MULTI_HOP)) &&
	       listens(LISTENING_BFD);
}

// Most solicitations are sent to the target's solicited-node group, not to the VIP itself. An advertisement
// to one station is for Linux: it was Linux that asked.
static __always_inline int is_about_vip(struct cursor *c, enum recipient to, struct packet *packet)
{
	struct {
		__u8 type, code;
		__u16 checksum;
		__u32 reserved;
		__u8 target[16];
	} *message = look(c, sizeof(*message));
	struct address target;

	if (packet->protocol != IPPROTO_ICMPV6 || packet->piece != WHOLE || !message)
		return 0;
	if (message->type != NEIGHBOUR_SOLICITATION && (message->type != NEIGHBOUR_ADVERTISEMENT || to != GROUP))
		return 0;
	target = ipv6(message->target);
	return vip(&target) != 0;
}

static __always_inline int packet_for_worker(struct cursor *c, enum recipient to, struct packet *packet)
{
	__u8 *flags = vip(&packet->destination);

	if (flags)
		return to == BOX || (to == ACROSS && (*flags & VIP_BRIDGE));
	if (packet->protocol == PROTOCOL_VRRP)
		return (to == BOX || to == GROUP) && packet->piece == WHOLE && listens(LISTENING_VRRP);
	if (to == GROUP || to == BOX) {
		if (packet->source.family == IPV6 && is_about_vip(c, to, packet))
			return 1;
		if (to == GROUP)
			return 0;
		if (is_bfd(c, packet))
			return 1;
	}
	return to != EVERYONE && !is_no_client(&packet->destination) && !is_local(&packet->destination) &&
	       may_be_of_flow(c, packet);
}

// RFC 826, for IPv4 over Ethernet. A reply is for Linux: it was Linux that asked.
static __always_inline int arp_for_worker(struct cursor *c, enum recipient to)
{
	struct {
		__be16 hardware, protocol;
		__u8 hardware_length, protocol_length;
		__be16 operation;
		__u8 sender_mac[6], sender[4], target_mac[6], target[4];
	} __attribute__((packed)) *arp = look(c, sizeof(*arp));
	struct address target;

	if ((to != BOX && to != EVERYONE) || !arp || arp->hardware != bpf_htons(1) ||
	    arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != 6 || arp->protocol_length != 4 ||
	    arp->operation != bpf_htons(ARP_REQUEST))
		return 0;
	target = ipv4(arp->target);
	return vip(&target) != 0;
}

static __always_inline int for_worker(struct xdp_md *ctx, __u32 interface)
{
	struct cursor c = {.ctx = ctx};
	struct ethhdr *ethernet = look(&c, sizeof(*ethernet));
	struct packet packet;
	enum recipient to;

	if (!ethernet)
		return 0;
	to = recipient_of(ethernet, interface);
	if (to == SOMEONE_ELSE)
		return 0;
	c.at += sizeof(*ethernet);
	switch (skip_vlan_tags(&c, ethernet->h_proto)) {
	case bpf_htons(ETH_P_IP):
		return parse_ipv4(&c, &packet) && packet_for_worker(&c, to, &packet);
	case bpf_htons(ETH_P_IPV6):
		return parse_ipv6(&c, &packet) && packet_for_worker(&c, to, &packet);
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
	// A frame must not lose its VLAN: without the tag it would leave into another one.
	if (action == XDP_REDIRECT && !put_tag_back(ctx))
		return XDP_DROP;
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
