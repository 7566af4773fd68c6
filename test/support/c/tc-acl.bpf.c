#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct pf_key {
	__u32 prefix;
	__u32 address;
};

/* What a pin set declares in test/cluster/faults-rollout: tc opens the pin that is there. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pf_key);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pf_acl SEC(".maps");

static __always_inline int judge(struct __sk_buff *skb)
{
	struct pf_key key = { 32, skb->mark };

	return bpf_map_lookup_elem(&pf_acl, &key) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc/ingress") int pf_acl_in(struct __sk_buff *skb) { return judge(skb); }
SEC("tc/egress") int pf_acl_out(struct __sk_buff *skb) { return judge(skb); }

char _license[] SEC("license") = "GPL";
