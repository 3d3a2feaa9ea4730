// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// The generator: run by BPF_PROG_TEST_RUN on live frames. Each frame gets the addresses of a random
// flow and goes out by `egress`.
//
// The kernel hands pages out again as they come back, with what was last written in them. So every
// field that differs between frames is written anew.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FIRST_SOURCE 0xc6120000 // 198.18.0.0/15, for benchmarks (RFC 2544, appendix C.2.2)
#define FIRST_PORT 1024

volatile const __u32 egress;     // the kernel's number of an interface
volatile const __u32 flow_mask;  // flows - 1

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sent SEC(".maps");

// Only one core runs the program.
static __u32 state = 2463534242;

static __always_inline __u32 random_number(void)
{
	__u32 x = state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	state = x;
	return x;
}

// RFC 1071, over a header without options.
static __always_inline __u16 checksum(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 zero = 0, flow = random_number() & flow_mask;
	__u64 *count = bpf_map_lookup_elem(&sent, &zero);

	if (!count || (void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	ip->saddr = bpf_htonl(FIRST_SOURCE + flow);
	ip->check = 0;
	ip->check = checksum(ip);
	udp->source = bpf_htons(FIRST_PORT + (flow * 2654435761u >> 17));
	++*count;
	return bpf_redirect(egress, 0);
}

char LICENSE[] SEC("license") = "GPL";
