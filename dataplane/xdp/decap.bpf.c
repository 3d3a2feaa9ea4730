// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// The decapsulation program, for backends of tunnel-mode services whose kernel has no tunnel devices. It
// takes the outer headers off a frame and passes it to Linux as if the packet inside had come by itself.
//
// Taken off are IPIP, GRE without options, and GUE of variants 0 and 1 without options, each over IPv4
// and IPv6 and around either, if
//   - the frame is addressed to the MAC of the interface, and
//   - the outer packet is addressed to one of `locals`, is whole, and has no extension headers.
// All else goes to Linux as it is: refusing is not the business of this program. One exception: what
// routers have marked as having met congestion although its ends do not understand that is dropped, as
// RFC 6040 section 4.2 wants it.
//
// Who may send to the outer address may send anything inside: networks keep tunnels from outside out by
// filtering at their edge, also those that end in a kernel's own devices.
//
// Keys are built the same way in src/xdp/steering.rs.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_LOCALS 1024

#define IPV4 4
#define IPV6 6

// RFC 3168 section 5.
#define NOT_ECT 0
#define ECT_1 1
#define ECT_0 2
#define CE 3
#define ECN 3

#define NONE 0 // no EtherType that a frame has

// Set by the loader.
const volatile __be64 mac = 0; // of the interface, with two zeros behind
const volatile __be16 gue_port = 0;

struct address {
	__u32 family;
	__u8 bytes[16]; // IPv4 in the first four, the rest zero
};

// The outer destinations.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_LOCALS);
	__type(key, struct address);
	__type(value, __u8);
} locals SEC(".maps");

struct packets {
	__u64 opened;
	__u64 dropped; // congested, but not capable of ECN
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packets);
} counters SEC(".maps");

// The rest of a frame. The verifier wants every access checked against `end`.
struct cursor {
	void *at;
	void *end;
};

// What the outer IP header says.
struct outer {
	__u8 protocol;
	__u8 ecn;
};

// What was done with a frame: nothing, or its headers taken off, or it is to be dropped for its mark.
enum outcome { FOREIGN, OPENED, CONGESTED };

#define HAS(cursor, what) ((cursor)->at + sizeof(what) <= (cursor)->end)

static __always_inline int is_local(__u32 family, const void *bytes, __u32 length)
{
	struct address address = {.family = family};

	__builtin_memcpy(address.bytes, bytes, length);
	return bpf_map_lookup_elem(&locals, &address) != 0;
}

static __always_inline __u8 ipv6_ecn(const struct ipv6hdr *ip)
{
	return ip->flow_lbl[0] >> 4 & ECN;
}

// Moves behind the outer IP header. False: the packet is for Linux as it is.
static __always_inline int skip_outer(struct cursor *c, __be16 type, struct outer *outer)
{
	struct iphdr *v4 = c->at;
	struct ipv6hdr *v6 = c->at;

	if (type == bpf_htons(ETH_P_IP)) {
		if (!HAS(c, *v4) || v4->version != 4 || v4->ihl < 5 || v4->frag_off & bpf_htons(0x3fff) ||
		    !is_local(IPV4, &v4->daddr, sizeof(v4->daddr)))
			return 0;
		outer->protocol = v4->protocol;
		outer->ecn = v4->tos & ECN;
		c->at += v4->ihl * 4;
		return 1;
	}
	if (type != bpf_htons(ETH_P_IPV6) || !HAS(c, *v6) || v6->version != 6 ||
	    !is_local(IPV6, &v6->daddr, sizeof(v6->daddr)))
		return 0;
	outer->protocol = v6->nexthdr;
	outer->ecn = ipv6_ecn(v6);
	c->at += sizeof(*v6);
	return 1;
}

static __always_inline __be16 type_of(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_IPIP:
		return bpf_htons(ETH_P_IP);
	case IPPROTO_IPV6:
		return bpf_htons(ETH_P_IPV6);
	default:
		return NONE;
	}
}

// RFC 2784: without checksum, key and sequence number, version 0.
static __always_inline __be16 skip_gre(struct cursor *c)
{
	struct {
		__be16 flags, type;
	} *gre = c->at;

	if (!HAS(c, *gre) || gre->flags)
		return NONE;
	c->at += sizeof(*gre);
	return gre->type;
}

// draft-ietf-intarea-gue sections 3 and 4. The first two bits are the variant: 0 has a header, of which
// the one without options is taken; 1 is the version of the IP packet that follows at once.
static __always_inline __be16 skip_gue(struct cursor *c)
{
	struct udphdr *udp = c->at;
	struct {
		__u8 variant_control_length, protocol;
		__be16 flags;
	} *gue;

	if (!HAS(c, *udp) || udp->dest != gue_port)
		return NONE;
	c->at += sizeof(*udp);
	gue = c->at;
	if (!HAS(c, *gue))
		return NONE;
	switch (gue->variant_control_length >> 4) {
	case 4:
		return bpf_htons(ETH_P_IP);
	case 6:
		return bpf_htons(ETH_P_IPV6);
	}
	if (gue->variant_control_length || gue->flags)
		return NONE;
	c->at += sizeof(*gue);
	return type_of(gue->protocol);
}

// Moves to the inner packet and returns its EtherType.
static __always_inline __be16 skip_to_inner(struct cursor *c, __u8 protocol)
{
	switch (protocol) {
	case IPPROTO_GRE:
		return skip_gre(c);
	case IPPROTO_UDP:
		return skip_gue(c);
	default:
		return type_of(protocol);
	}
}

// The inner ECN field afterwards (RFC 6040 section 4.2); below zero: the packet is to be dropped.
static __always_inline int combined(__u8 outer, __u8 inner)
{
	if (outer == CE)
		return inner == NOT_ECT ? -1 : CE;
	return outer == ECT_1 && inner == ECT_0 ? ECT_1 : inner;
}

// RFC 1624, equation 3, on words as they lie in memory: the sum does not mind their order.
static __always_inline void set_ecn(struct iphdr *ip, __u8 ecn)
{
	__u16 *word = (__u16 *)ip;
	__u32 sum = (__u16)~ip->check + (__u16)~*word;

	ip->tos = (ip->tos & ~ECN) | ecn;
	sum += *word;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	ip->check = ~sum;
}

// Tells the inner packet of congestion on the outer one's way.
static __always_inline enum outcome inherit_ecn(struct cursor *c, __be16 type, __u8 outer)
{
	struct iphdr *v4 = c->at;
	struct ipv6hdr *v6 = c->at;
	int ecn;

	if (type == bpf_htons(ETH_P_IP)) {
		if (!HAS(c, *v4) || v4->version != 4)
			return FOREIGN;
		ecn = combined(outer, v4->tos & ECN);
		if (ecn < 0)
			return CONGESTED;
		set_ecn(v4, ecn);
		return OPENED;
	}
	if (type != bpf_htons(ETH_P_IPV6) || !HAS(c, *v6) || v6->version != 6)
		return FOREIGN;
	ecn = combined(outer, ipv6_ecn(v6));
	if (ecn < 0)
		return CONGESTED;
	v6->flow_lbl[0] = (v6->flow_lbl[0] & ~(ECN << 4)) | ecn << 4;
	return OPENED;
}

// Puts the frame's own header in front of the inner packet, `length` bytes further on.
static __always_inline int move_front(struct xdp_md *ctx, int length, __be16 type)
{
	struct ethhdr header, *place = (void *)(long)ctx->data;

	if ((void *)(place + 1) > (void *)(long)ctx->data_end)
		return -1;
	header = *place;
	header.h_proto = type;
	if (bpf_xdp_adjust_head(ctx, length))
		return -1;
	place = (void *)(long)ctx->data;
	if ((void *)(place + 1) > (void *)(long)ctx->data_end)
		return -1;
	*place = header;
	return 0;
}

static __always_inline enum outcome open(struct xdp_md *ctx)
{
	struct cursor c = {.at = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};
	struct ethhdr *ethernet = c.at;
	enum outcome outcome;
	struct outer outer;
	__be64 to = 0;
	__be16 type;

	if (!HAS(&c, *ethernet))
		return FOREIGN;
	__builtin_memcpy(&to, ethernet->h_dest, ETH_ALEN);
	if (to != mac)
		return FOREIGN;
	c.at += sizeof(*ethernet);
	if (!skip_outer(&c, ethernet->h_proto, &outer))
		return FOREIGN;
	type = skip_to_inner(&c, outer.protocol);
	outcome = inherit_ecn(&c, type, outer.ecn);
	if (outcome == OPENED && move_front(ctx, c.at - (void *)(ethernet + 1), type))
		return FOREIGN;
	return outcome;
}

SEC("xdp")
int decapsulate(struct xdp_md *ctx)
{
	enum outcome outcome = open(ctx);
	struct packets *count;
	__u32 zero = 0;

	if (outcome == FOREIGN)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&counters, &zero);
	if (count && outcome == OPENED)
		count->opened++;
	else if (count)
		count->dropped++;
	return outcome == OPENED ? XDP_PASS : XDP_DROP;
}

// The words by which the kernel knows a licence that goes with its own.
char _license[] SEC("license") = "Dual MIT/GPL";
