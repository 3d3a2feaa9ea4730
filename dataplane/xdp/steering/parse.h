// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// From the first byte of a frame to the header that decides. Nothing here knows a map.

#pragma once

#define VLAN_TAGS 2

// A place in a frame.
struct cursor {
	struct xdp_md *ctx;
	__u32 at; // bytes before it
};

// No place in a frame is further behind its beginning: the verifier wants a bound that fits its own.
#define FURTHEST 0x7fff

// Where the cursor is, if `size` bytes are there; else null.
static __always_inline void *look(const struct cursor *c, __u32 size)
{
	void *at = (void *)(long)c->ctx->data + c->at;

	return at + size <= (void *)(long)c->ctx->data_end ? at : 0;
}

// Whether it is all of a packet. Only the first of several fragments has ports.
enum piece { WHOLE, FIRST, LATER };

// The protocol of a packet whose extension headers cannot be walked.
#define HIDDEN -1

// A packet, as far as its network header tells.
struct packet {
	struct address source, destination;
	int protocol; // of what the cursor is at
	enum piece piece;
};

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

static __always_inline int has_ports(int protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

// A fragment that is the only one is a whole packet (RFC 6946).
static __always_inline enum piece piece_at(__u16 offset, __u16 more)
{
	return offset ? LATER : more ? FIRST : WHOLE;
}

// Moves behind 802.1Q and 802.1ad tags, outer and inner. A third one is what the answer then says.
static __always_inline __be16 skip_vlan_tags(struct cursor *c, __be16 type)
{
	struct {
		__be16 control, type;
	} *tag;

	for (int i = 0; i < VLAN_TAGS; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		tag = look(c, sizeof(*tag));
		if (!tag)
			return 0;
		type = tag->type;
		c->at += sizeof(*tag);
	}
	return type;
}

static __always_inline int is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_AH || protocol == IPPROTO_FRAGMENT;
}

// What is behind extension headers (RFC 8200 section 4), that of a fragment among them if it is the last:
// the place in the upper half, then the piece and the protocol, a byte each. 0: nothing is found for too
// many headers, or one that is cut short.
//
// A global function, so that the verifier walks these headers once and for all, and not for every kind of
// frame in which they stand.
__noinline __u32 behind_extensions(struct xdp_md *ctx, __u32 at, __u32 next)
{
	struct cursor c = {.ctx = ctx, .at = at & FURTHEST};
	struct {
		__u8 next, length;
		__be16 offset;
		__be32 id;
	} *header;

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		if (!is_extension(next))
			return c.at << 16 | (__u8)next;
		header = look(&c, sizeof(*header)); // no extension header is shorter
		if (!header)
			return 0;
		if (next == IPPROTO_FRAGMENT) {
			c.at += sizeof(*header);
			return c.at << 16 | piece_at(header->offset & bpf_htons(0xfff8), header->offset & bpf_htons(1)) << 8 |
			       header->next;
		}
		// RFC 4302 section 2.2 counts in words of four bytes; two are not counted.
		c.at += next == IPPROTO_AH ? (header->length + 2) * 4 : (header->length + 1) * 8;
		if (c.at > FURTHEST)
			return 0;
		next = header->next;
	}
	return 0;
}

static __always_inline int parse_ipv4(struct cursor *c, struct packet *packet)
{
	struct iphdr *ip = look(c, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return 0;
	packet->source = ipv4(&ip->saddr);
	packet->destination = ipv4(&ip->daddr);
	packet->protocol = ip->protocol;
	packet->piece = piece_at(ip->frag_off & bpf_htons(0x1fff), ip->frag_off & bpf_htons(0x2000));
	c->at += ip->ihl * 4;
	return 1;
}

static __always_inline int parse_ipv6(struct cursor *c, struct packet *packet)
{
	struct ipv6hdr *ip = look(c, sizeof(*ip));
	__u32 found;

	if (!ip || ip->version != 6)
		return 0;
	packet->source = ipv6(&ip->saddr);
	packet->destination = ipv6(&ip->daddr);
	packet->protocol = ip->nexthdr;
	packet->piece = WHOLE;
	c->at += sizeof(*ip);
	if (is_extension(packet->protocol)) {
		found = behind_extensions(c->ctx, c->at, packet->protocol);
		c->at = found >> 16 & FURTHEST;
		packet->protocol = found ? found & 0xff : HIDDEN;
		packet->piece = found >> 8 & 0xff;
	}
	return 1;
}

#define FIRST_INFORMATIONAL 128 // RFC 4443 section 2.1

// Whether an ICMP message of this type is about another packet.
static __always_inline int is_error(int family, __u8 type)
{
	if (family == IPV6)
		return type < FIRST_INFORMATIONAL;
	switch (type) { // RFC 1122 section 3.2.2
	case 3:	 // destination unreachable
	case 4:	 // source quench
	case 5:	 // redirect
	case 11: // time exceeded
	case 12: // parameter problem
		return 1;
	default:
		return 0;
	}
}
