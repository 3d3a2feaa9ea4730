// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// From the first byte of a frame to the header that decides. Nothing here knows a map.

#pragma once

#define VLAN_TAGS 2

// The rest of a frame. The verifier wants every access checked against `end`.
struct cursor {
	void *at;
	void *end;
};

#define HAS(cursor, what) ((cursor)->at + sizeof(what) <= (cursor)->end)

// Whether it is all of a packet. Only the first of several fragments has ports.
enum piece { WHOLE, FIRST, LATER };

// A packet, as far as its network header tells.
struct packet {
	struct address source, destination;
	int protocol; // of what the cursor is at; -1: hidden behind too many headers
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
		tag = c->at;
		if (!HAS(c, *tag))
			return 0;
		type = tag->type;
		c->at += sizeof(*tag);
	}
	return type;
}

// Moves behind the extension headers (RFC 8200 section 4), that of a fragment among them if it is
// the last. Returns the protocol there, or -1 if none is found: too many headers, a header cut short.
static __always_inline int skip_extension_headers(struct cursor *c, __u8 next, enum piece *piece)
{
	struct {
		__u8 next, length;
		__be16 offset;
		__be32 id;
	} *header;

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		header = c->at;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_AH && next != IPPROTO_FRAGMENT)
			return next;
		if (!HAS(c, *header)) // no extension header is shorter
			return -1;
		if (next == IPPROTO_FRAGMENT) {
			c->at += sizeof(*header);
			*piece = piece_at(header->offset & bpf_htons(0xfff8), header->offset & bpf_htons(1));
			return header->next;
		}
		// RFC 4302 section 2.2 counts in words of four bytes; two are not counted.
		c->at += next == IPPROTO_AH ? (header->length + 2) * 4 : (header->length + 1) * 8;
		next = header->next;
	}
	return -1;
}

static __always_inline int parse_ipv4(struct cursor *c, struct packet *packet)
{
	struct iphdr *ip = c->at;

	if (!HAS(c, *ip) || ip->version != 4 || ip->ihl < 5)
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
	struct ipv6hdr *ip = c->at;

	if (!HAS(c, *ip) || ip->version != 6)
		return 0;
	packet->source = ipv6(&ip->saddr);
	packet->destination = ipv6(&ip->daddr);
	packet->piece = WHOLE;
	c->at += sizeof(*ip);
	packet->protocol = skip_extension_headers(c, ip->nexthdr, &packet->piece);
	return 1;
}
