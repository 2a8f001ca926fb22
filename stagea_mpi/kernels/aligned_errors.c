/* Scores of pairs of chains by the errors of residues where others are aligned: ipSAE and LIS in one direction. */

#include "kernels.h"

#include <math.h>

/* Å, exclusive: pairs of residues with a larger error do not count for ipSAE, and for LIS. */
#define IPSAE_CUTOFF 10.0f
#define LIS_CUTOFF 12.0f
/* Å; the least d0, and the number of residues that has it. */
#define LEAST_D0 1.0
#define LEAST_RESIDUES 26

/* The scale of the term of the TM score for n residues (Zhang & Skolnick, Proteins 57 (2004) 702-710). */
static double d0_of(int64_t n)
{
    return larger(LEAST_D0, 1.24 * cbrt((double)(n > LEAST_RESIDUES ? n : LEAST_RESIDUES) - 15.0) - 1.8);
}

/* What a row has in one other chain. */
typedef struct {
    int64_t n_sure; /* errors below the cutoff of ipSAE */
    double sum;     /* of their terms */
} Part;

/* Where the columns of one chain end that begin at `from`. */
static ptrdiff_t together(const int64_t *other, ptrdiff_t from, ptrdiff_t m)
{
    ptrdiff_t to = from + 1;
    while (to < m && other[to] == other[from])
        to++;
    return to;
}

static double added(double sum, const double *term, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j++)
        sum += term[j];
    return sum;
}

/* No processor foresees which errors are below a cutoff, so there is no branch on it: the terms of the others are 0. */
static void add_row(const float *pae, ptrdiff_t m, const int64_t *other, ptrdiff_t n_others, double *term, Part *part,
                    double *ipsae, double *lis, int64_t *n_lis)
{
    for (ptrdiff_t c = 0; c < n_others; c++)
        part[c] = (Part){0, 0.0};
    for (ptrdiff_t j = 0; j < m; j++)
        term[j] = (double)LIS_CUTOFF - (double)(pae[j] < LIS_CUTOFF ? pae[j] : LIS_CUTOFF);
    for (ptrdiff_t from = 0, to; from < m; from = to) {
        int n_near = 0, n_sure = 0;
        to = together(other, from, m);
        for (ptrdiff_t j = from; j < to; j++) {
            n_near += pae[j] < LIS_CUTOFF;
            n_sure += pae[j] < IPSAE_CUTOFF;
        }
        lis[other[from]] = added(lis[other[from]], term + from, to - from);
        n_lis[other[from]] += n_near;
        part[other[from]].n_sure += n_sure;
    }
    for (ptrdiff_t j = 0; j < m; j++)
        term[j] = (double)(pae[j] < IPSAE_CUTOFF);
    for (ptrdiff_t from = 0, to; from < m; from = to) {
        Part *own = &part[other[from]];
        to = together(other, from, m);
        if (!own->n_sure)
            continue;
        const double d0 = d0_of(own->n_sure);
        for (ptrdiff_t j = from; j < to; j++) {
            double share = (double)(pae[j] < IPSAE_CUTOFF ? pae[j] : IPSAE_CUTOFF) / d0;
            term[j] /= share * share + 1.0;
        }
        own->sum = added(own->sum, term + from, to - from);
    }
    for (ptrdiff_t c = 0; c < n_others; c++)
        if (part[c].n_sure)
            ipsae[c] = larger(ipsae[c], part[c].sum / (double)part[c].n_sure);
}

static bool has_near(const float *pae, ptrdiff_t m)
{
    int n = 0;
    for (ptrdiff_t j = 0; j < m; j++)
        n |= pae[j] < LIS_CUTOFF;
    return n;
}

Status aligned_errors(const float *pae, ptrdiff_t n, ptrdiff_t m, const int64_t *chain, const int64_t *other,
                      ptrdiff_t n_chains, ptrdiff_t n_others, double *ipsae, double *lis, Checkpoint *checkpoint)
{
    const ptrdiff_t n_pairs = n_chains * n_others;
    double *term = make_room(m, sizeof *term);
    Part *part = make_room(n_others, sizeof *part);
    int64_t *n_lis = make_room(n_pairs, sizeof *n_lis);
    Status status = term && part && n_lis ? DONE : NO_MEMORY;
    for (ptrdiff_t pair = 0; status == DONE && pair < n_pairs; pair++) {
        ipsae[pair] = lis[pair] = 0.0;
        n_lis[pair] = 0;
    }
    for (ptrdiff_t i = 0; status == DONE && i < n; i++) {
        const ptrdiff_t first = chain[i] * n_others;
        if (has_near(pae + i * m, m))
            add_row(pae + i * m, m, other, n_others, term, part, ipsae + first, lis + first, n_lis + first);
        if (is_interrupted(checkpoint, 1 + m))
            status = INTERRUPTED;
    }
    for (ptrdiff_t pair = 0; status == DONE && pair < n_pairs; pair++)
        if (n_lis[pair])
            lis[pair] /= LIS_CUTOFF * (double)n_lis[pair];
    free(term);
    free(part);
    free(n_lis);
    return status;
}
