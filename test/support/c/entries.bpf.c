/* Maps with BTF, for tests that read what is in maps; entries.c fills them. No program is needed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mood { CALM, TENSE = 7 };

struct pair {
	__u16 port;
	__u8 proto;
};

struct sample {
	__u64 packets;
	__s32 delta;
	__u16 port;
	__u8 flags : 3;
	__u8 rest : 5;
	enum mood mood;
	char name[12];
	__u8 mac[6];
	struct pair pair;
	union {
		__u32 word;
		__u8 bytes[4];
	};
	void *pointer;
	_Bool on;
};

#define BTF_MAP(map_name, map_type, key_type, value_type, entries, flags)                                      \
	struct {                                                                                              \
		__uint(type, map_type);                                                                       \
		__uint(max_entries, entries);                                                                 \
		__uint(map_flags, flags);                                                                     \
		__type(key, key_type);                                                                        \
		__type(value, value_type);                                                                    \
	} map_name SEC(".maps")

struct prefix {
	__u32 length;
	__u8 address[4];
};

BTF_MAP(b_hash, BPF_MAP_TYPE_HASH, __u32, struct sample, 64, 0);
BTF_MAP(b_lru, BPF_MAP_TYPE_LRU_HASH, __u32, struct sample, 64, 0);
BTF_MAP(b_array, BPF_MAP_TYPE_ARRAY, __u32, struct sample, 16, 0);
BTF_MAP(b_pcpu_hash, BPF_MAP_TYPE_PERCPU_HASH, __u32, struct pair, 64, 0);
BTF_MAP(b_lru_pcpu, BPF_MAP_TYPE_LRU_PERCPU_HASH, __u32, struct pair, 64, 0);
BTF_MAP(b_pcpu_array, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct pair, 16, 0);
BTF_MAP(b_lpm, BPF_MAP_TYPE_LPM_TRIE, struct prefix, __u64, 64, BPF_F_NO_PREALLOC);
BTF_MAP(b_frozen, BPF_MAP_TYPE_HASH, struct pair, __u64, 64, 0);

struct sample in_data = { .packets = 1, .name = "data" };
const volatile int in_rodata = 42;
int in_bss;
