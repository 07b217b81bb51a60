// The arithmetic of secp256k1 by OpenSSL's big numbers and curve, for tests to compare ours with.
// A number is 32 big-endian bytes below the group order n, a point is x || y in 64 bytes.
#ifndef QUORUMKEEP_REFERENCE_H
#define QUORUMKEEP_REFERENCE_H

#include <stddef.h>

// Modulo n; the inputs may be any 32 bytes.
void reference_add(unsigned char *out, const unsigned char *a, const unsigned char *b);
void reference_subtract(unsigned char *out, const unsigned char *a, const unsigned char *b);
void reference_multiply(unsigned char *out, const unsigned char *a, const unsigned char *b);
void reference_reduce(unsigned char *out, const unsigned char *bytes, size_t count);
// 0 if a has no inverse.
int reference_invert(unsigned char *out, const unsigned char *a);
int reference_is_below_order(const unsigned char *a);
// Whether 2a > n, of a below n.
int reference_is_high(const unsigned char *a);

// The point that 33 bytes spell; 0 if they spell none.
int reference_decompress(unsigned char *point, const unsigned char *compressed, size_t count);
void reference_compress(unsigned char *compressed, const unsigned char *point);
// Whether a + b is c, where a null c is the identity; 0 too if one is not on the curve.
int reference_is_sum(const unsigned char *a, const unsigned char *b, const unsigned char *c);
// Whether a is -b.
int reference_is_opposite(const unsigned char *a, const unsigned char *b);
// scalar times point, of the generator where it is null; 0 if that is the identity.
int reference_times(
    unsigned char *out, const unsigned char *scalar, const unsigned char *point);

#endif
