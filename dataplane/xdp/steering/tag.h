// SPDX-License-Identifier: (Apache-2.0 OR MIT OR GPL-2.0-only)
//
// VLAN tags that the kernel carries beside a frame. A redirect to a socket takes the frame alone, so that
// such a tag has to be put back first.
//
// The tag is known to a kernel function (Linux 6.8) that only programs bound to one device may call, and
// whose number differs from kernel to kernel. The object is therefore compiled twice; src/xdp/bound.rs
// replaces the placeholder in the one that is compiled with READ_VLAN_TAG.

#pragma once

#ifdef READ_VLAN_TAG

// VLAN_TAG_PLACEHOLDER of src/xdp/bound.rs: the number of no helper.
static int (*const rx_vlan_tag)(struct xdp_md *, __be16 *protocol, __u16 *control) = (void *)0x7e57a601;

// Whether no tag is beside the frame any more.
static __always_inline int put_tag_back(struct xdp_md *ctx)
{
	struct tagged {
		__u8 macs[2 * ETH_ALEN];
		__be16 protocol, control;
	} *head;
	__u8 macs[2 * ETH_ALEN];
	__be16 protocol = 0;
	__u16 control = 0;

	if (rx_vlan_tag(ctx, &protocol, &control))
		return 1;
	head = (void *)(long)ctx->data;
	if ((void *)(head + 1) > (void *)(long)ctx->data_end)
		return 0;
	__builtin_memcpy(macs, head->macs, sizeof(macs));
	if (bpf_xdp_adjust_head(ctx, -4))
		return 0;
	head = (void *)(long)ctx->data;
	if ((void *)(head + 1) > (void *)(long)ctx->data_end)
		return 0;
	__builtin_memcpy(head->macs, macs, sizeof(macs));
	head->protocol = protocol;
	head->control = bpf_htons(control);
	return 1;
}

#else

static __always_inline int put_tag_back(struct xdp_md *ctx)
{
	return 1;
}

#endif
