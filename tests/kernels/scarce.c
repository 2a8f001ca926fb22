/* Runs each kernel again and again: in turn each of its requests for memory is refused, and each of its questions whether
   to go on is answered by no. It has to say so, and to have given back all memory. */

#include "kernels.h"

#include <stdio.h>
#include <string.h>

#undef malloc
#undef realloc
#undef free

static long n_requests, refused, n_held; /* `refused` is the number of the request, from 1 on; 0 for none */
static long n_questions, stopped;

void *scarce_malloc(size_t size)
{
    if (++n_requests == refused)
        return NULL;
    void *memory = malloc(size);
    if (memory)
        memset(memory, 0xA5, size); /* what has not been set must not look as if it were */
    n_held += memory != NULL;
    return memory;
}

void *scarce_realloc(void *memory, size_t size)
{
    if (++n_requests == refused)
        return NULL;
    void *moved = realloc(memory, size);
    n_held += moved && !memory;
    return moved;
}

void scarce_free(void *memory)
{
    n_held -= memory != NULL;
    free(memory);
}

static bool may_go_on(Checkpoint *checkpoint)
{
    (void)checkpoint;
    return ++n_questions != stopped;
}

/* A lattice of points, some of which lie on top of each other, and a ring with chords. */
#define N 300
static double xyz[3 * N], radii[N], distance[8], area[N], contact[2 * N];
static int64_t label[N], of[N], pairs[16], edges[4 * N], count;
static int32_t clusters[N];
static bool inside[N];
static const char *const MATRIX = "{\"pae\": [[1, 2.5, 3], [0.1, null, 4e1], [7, 8, 9.25]]}";
static float forward[2], backward[2];
static const float errors[12] = {1, 2, 30, 4, 30, 30, 30, 30, 5, 11, 12, 9};
static const int64_t chain[4] = {0, 1, 1, 0};
static double scores[8];
static const char *const TABLE = "1.5 CA -2\n 0.25 \"O5'\" 7 \n#\n_tag x\n";
static const int64_t wanted[2] = {0, 2};
static double coordinates[4];
static char words[64];

static void set_up(void)
{
    for (int i = 0; i < N; i++) {
        xyz[3 * i] = i % 6;
        xyz[3 * i + 1] = i / 6 % 6;
        xyz[3 * i + 2] = i / 36;
        radii[i] = 1.0 + i % 3;
        of[i] = i;
        edges[4 * i] = edges[4 * i + 2] = i;
        edges[4 * i + 1] = (i + 1) % N;
        edges[4 * i + 3] = (i + 2) % N;
    }
    memcpy(xyz + 3 * (N - 40), xyz, 3 * 40 * sizeof *xyz);
}

static Status run(int kernel, Checkpoint *checkpoint)
{
    PairList found = {pairs, distance, 8, 0};
    ptrdiff_t n_bytes = (ptrdiff_t)strlen(MATRIX), place, row, n_rest;
    JsonFault fault;
    switch (kernel) {
    case 0:
        return pairs_between(xyz, N, xyz, N, 2.0, &found, checkpoint);
    case 1:
        return pairs_within(xyz, label, N, 2.0, &found, checkpoint);
    case 2:
        return count_between(xyz, N, xyz, N, 2.0, &count, checkpoint);
    case 3:
        return within_reach(xyz, N, xyz, N, 2.0, inside, checkpoint);
    case 4:
        return lee_richards(xyz, radii, N, of, N, 1.4, 20, area, checkpoint);
    case 5:
        return contact_areas(xyz, radii, N, edges, 2 * N, contact, checkpoint);
    case 6:
        return json_key(MATRIX, n_bytes, 0, "pae", 3, &place, checkpoint);
    case 7:
        row = 0;
        return json_matrix_blocks(MATRIX, n_bytes, 7, true, 3, of, 2, of + 2, 1, forward, backward, &row, &place,
                                  &fault, checkpoint);
    case 8:
        return aligned_errors(errors, 3, 4, chain, chain, 2, 2, scores, scores + 4, checkpoint);
    case 9:
        return json_matrix_end(MATRIX, n_bytes, 9, &place, checkpoint);
    case 10:
        return cif_rows(TABLE, (ptrdiff_t)strlen(TABLE), 0, 3, wanted, 2, 2, coordinates, words, &row, &n_rest, &place,
                        checkpoint);
    case 11:
        return cif_outline(TABLE, (ptrdiff_t)strlen(TABLE), words, &place, checkpoint);
    default:
        return markov_clusters(N, edges, 2 * N, clusters, checkpoint);
    }
}

static const char *const NAMES[] = {"pairs_between", "pairs_within",  "count_between", "within_reach",
                                    "lee_richards",  "contact_areas", "json_key",      "json_matrix_blocks",
                                    "aligned_errors", "json_matrix_end",
                                    "cif_rows",       "cif_outline",     "markov_clusters"};

/* Runs a kernel with one request refused, or stopped at one question; false, having said so, where it goes wrong. */
static bool ends_well(int kernel, long refuse, long stop, Status expected)
{
    Checkpoint checkpoint = {may_go_on, 0};
    n_requests = n_questions = n_held = 0;
    refused = refuse;
    stopped = stop;
    Status status = run(kernel, &checkpoint);
    if (status == expected && n_held == 0)
        return true;
    printf("%s: request %ld refused, question %ld answered by no: status %d, expected %d; %ld pieces of memory held\n",
           NAMES[kernel], refuse, stop, (int)status, (int)expected, n_held);
    return false;
}

int main(void)
{
    set_up();
    for (int kernel = 0; kernel < (int)(sizeof NAMES / sizeof *NAMES); kernel++) {
        if (!ends_well(kernel, 0, 0, DONE))
            return 1;
        long requests = n_requests, questions = n_questions;
        for (long k = 1; k <= requests; k++)
            if (!ends_well(kernel, k, 0, NO_MEMORY))
                return 1;
        for (long k = 1; k <= questions; k += 1 + questions / 200)
            if (!ends_well(kernel, 0, k, INTERRUPTED))
                return 1;
        printf("%s: %ld requests for memory, %ld questions\n", NAMES[kernel], requests, questions);
    }
    return 0;
}
