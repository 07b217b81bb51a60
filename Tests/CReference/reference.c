#include "reference.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>

enum { number_bytes = 32 };

// One of each a thread: OpenSSL's contexts are not shared.
struct workspace {
    BN_CTX *scratch;
    EC_GROUP *group;
    const BIGNUM *order;
    BIGNUM *a, *b, *out;
    EC_POINT *p, *q, *r;
};

static _Thread_local struct workspace *here = NULL;

static void must(int succeeded) {
    if (!succeeded) abort();
}

static struct workspace *space(void) {
    if (here != NULL) return here;
    struct workspace *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->scratch = BN_CTX_new();
    w->group = EC_GROUP_new_by_curve_name(NID_secp256k1);
    must(w->scratch != NULL && w->group != NULL);
    w->order = EC_GROUP_get0_order(w->group);
    w->a = BN_new();
    w->b = BN_new();
    w->out = BN_new();
    w->p = EC_POINT_new(w->group);
    w->q = EC_POINT_new(w->group);
    w->r = EC_POINT_new(w->group);
    must(w->a != NULL && w->b != NULL && w->out != NULL);
    must(w->p != NULL && w->q != NULL && w->r != NULL);
    here = w;
    return w;
}

static void load(BIGNUM *number, const unsigned char *bytes) {
    must(BN_bin2bn(bytes, number_bytes, number) != NULL);
}

static void store(unsigned char *out, const BIGNUM *number) {
    must(BN_bn2binpad(number, out, number_bytes) == number_bytes);
}

void reference_add(unsigned char *out, const unsigned char *a, const unsigned char *b) {
    struct workspace *w = space();
    load(w->a, a);
    load(w->b, b);
    must(BN_mod_add(w->out, w->a, w->b, w->order, w->scratch));
    store(out, w->out);
}

void reference_subtract(unsigned char *out, const unsigned char *a, const unsigned char *b) {
    struct workspace *w = space();
    load(w->a, a);
    load(w->b, b);
    must(BN_mod_sub(w->out, w->a, w->b, w->order, w->scratch));
    store(out, w->out);
}

void reference_multiply(unsigned char *out, const unsigned char *a, const unsigned char *b) {
    struct workspace *w = space();
    load(w->a, a);
    load(w->b, b);
    must(BN_mod_mul(w->out, w->a, w->b, w->order, w->scratch));
    store(out, w->out);
}

void reference_reduce(unsigned char *out, const unsigned char *bytes, size_t count) {
    struct workspace *w = space();
    must(BN_bin2bn(bytes, (int)count, w->a) != NULL);
    must(BN_nnmod(w->out, w->a, w->order, w->scratch));
    store(out, w->out);
}

int reference_invert(unsigned char *out, const unsigned char *a) {
    struct workspace *w = space();
    load(w->a, a);
    if (BN_is_zero(w->a)) return 0;
    must(BN_mod_inverse(w->out, w->a, w->order, w->scratch) != NULL);
    store(out, w->out);
    return 1;
}

int reference_is_below_order(const unsigned char *a) {
    struct workspace *w = space();
    load(w->a, a);
    return BN_cmp(w->a, w->order) < 0;
}

int reference_is_high(const unsigned char *a) {
    struct workspace *w = space();
    load(w->a, a);
    must(BN_lshift1(w->out, w->a));
    return BN_cmp(w->out, w->order) > 0;
}

static int load_point(EC_POINT *point, const unsigned char *bytes) {
    struct workspace *w = space();
    load(w->a, bytes);
    load(w->b, bytes + number_bytes);
    return EC_POINT_set_affine_coordinates(w->group, point, w->a, w->b, w->scratch);
}

static void store_point(unsigned char *out, const EC_POINT *point) {
    struct workspace *w = space();
    must(EC_POINT_get_affine_coordinates(w->group, point, w->a, w->b, w->scratch));
    store(out, w->a);
    store(out + number_bytes, w->b);
}

int reference_decompress(unsigned char *point, const unsigned char *compressed, size_t count) {
    struct workspace *w = space();
    if (!EC_POINT_oct2point(w->group, w->p, compressed, count, w->scratch)) return 0;
    if (EC_POINT_is_at_infinity(w->group, w->p)) return 0;
    store_point(point, w->p);
    return 1;
}

void reference_compress(unsigned char *compressed, const unsigned char *point) {
    struct workspace *w = space();
    must(load_point(w->p, point));
    must(
        EC_POINT_point2oct(
            w->group, w->p, POINT_CONVERSION_COMPRESSED, compressed, number_bytes + 1, w->scratch)
        == number_bytes + 1);
}

int reference_is_sum(const unsigned char *a, const unsigned char *b, const unsigned char *c) {
    struct workspace *w = space();
    if (!load_point(w->p, a) || !load_point(w->q, b)) return 0;
    must(EC_POINT_add(w->group, w->r, w->p, w->q, w->scratch));
    if (c == NULL) return EC_POINT_is_at_infinity(w->group, w->r);
    if (!load_point(w->p, c)) return 0;
    return EC_POINT_cmp(w->group, w->r, w->p, w->scratch) == 0;
}

int reference_is_opposite(const unsigned char *a, const unsigned char *b) {
    struct workspace *w = space();
    if (!load_point(w->p, a) || !load_point(w->q, b)) return 0;
    must(EC_POINT_invert(w->group, w->q, w->scratch));
    return EC_POINT_cmp(w->group, w->p, w->q, w->scratch) == 0;
}

int reference_times(
    unsigned char *out, const unsigned char *scalar, const unsigned char *point) {
    struct workspace *w = space();
    if (point != NULL) must(load_point(w->q, point));
    BIGNUM *factor = w->out;
    load(factor, scalar);
    if (point == NULL) {
        must(EC_POINT_mul(w->group, w->r, factor, NULL, NULL, w->scratch));
    } else {
        must(EC_POINT_mul(w->group, w->r, NULL, w->q, factor, w->scratch));
    }
    if (EC_POINT_is_at_infinity(w->group, w->r)) return 0;
    store_point(out, w->r);
    return 1;
}
