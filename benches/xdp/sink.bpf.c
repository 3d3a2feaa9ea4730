// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// The sink: counts and drops. What is not addressed to it (a frame that nobody rewrote, or one that
// Linux sent of its own accord) is counted apart.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct frames {
	__u64 delivered;
	__u64 strange;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frames);
} counters SEC(".maps");

volatile const __u8 address[ETH_ALEN];     // the sink's MAC address
volatile const __be32 virtual_address;     // what frames are addressed to, above Ethernet,
volatile const __be32 backends;            // or, where that was translated, the network that they go to

#define NETWORK 0xffffff00 // of 256 addresses

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	__u32 zero = 0;
	struct frames *frames = bpf_map_lookup_elem(&counters, &zero);

	if (!frames)
		return XDP_ABORTED;
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end ||
	    (ip->daddr != virtual_address && (ip->daddr & bpf_htonl(NETWORK)) != backends)) {
		frames->strange++;
		return XDP_DROP;
	}
	for (int i = 0; i < ETH_ALEN; i++) {
		if (ethernet->h_dest[i] != address[i]) {
			frames->strange++;
			return XDP_DROP;
		}
	}
	frames->delivered++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
