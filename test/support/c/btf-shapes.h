/* One structure of everything C can say, for both sides: the map's BTF comes from the BPF side, the values
 * from the other. Compiled by both, so only fixed-width types. */
#ifndef PINFOLD_TEST_BTF_SHAPES_H
#define PINFOLD_TEST_BTF_SHAPES_H

#include <linux/types.h>

struct inner {
	__u8 kind;
	__s16 level;
};

enum color { RED, GREEN = 5, BLUE = -2 };
typedef enum color color_t;
typedef const volatile color_t fixed_color_t;

struct key {
	__u32 id;
	char tag[4];
};

struct shapes {
	__s8 s8;
	__u8 u8;
	__s16 s16;
	__u16 u16;
	__s32 s32;
	__u32 u32;
	__s64 s64;
	__u64 u64;
	__int128 s128;
	unsigned __int128 u128;
	_Bool yes;
	_Bool no;
	char text[12];
	char full[4];
	char stale[8];
	char binary[4];
	signed char numbers[3];
	color_t color;
	fixed_color_t minus;
	enum color unknown;
	unsigned int three : 3;
	int five : 5;
	unsigned int : 4;
	_Bool bit : 1;
	enum color few : 4;
	__u64 forty : 40;
	__s64 rest : 23;
	struct inner nested;
	struct inner list[2];
	__s32 grid[2][3];
	union {
		__u32 word;
		__u8 bytes[4];
	};
	union {
		__u64 whole;
		struct inner view;
		struct {
			__u16 low;
			__u16 high;
		};
	} named;
	struct {
		__u16 deep;
		struct {
			__u8 deeper;
		};
	};
	void *pointer;
	int (*callback)(struct inner *, ...);
	float single;
	double twice;
	double nan;
	struct {
	} nothing;
	__u16 last;
	__u8 empty[0];
};

struct __attribute__((packed)) packed {
	__u8 first;
	__u64 second;
	__u16 third : 9;
	__u16 fourth : 7;
};

#endif
