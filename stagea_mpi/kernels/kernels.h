/* What the kernels share, and each of their functions: plain C, which knows nothing of Python.

   A kernel takes arrays whose shapes, indices and numbers module.c has checked, and has no state of its own. Memory is
   asked for through `make_room` and `grown`, which refuse what no machine has. It runs without Python's lock; so that a
   time limit or Ctrl-C ends it, it calls `is_interrupted` where it comes by often, gives back its memory when that is
   true, and returns INTERRUPTED. */

#ifndef STAGEA_MPI_KERNELS_H
#define STAGEA_MPI_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* How a kernel ended. */
typedef enum { DONE, NO_MEMORY, INTERRUPTED } Status;

/* Whether to go on is asked each time that so much work has been done: some tens of milliseconds. */
#ifndef WORK_BETWEEN_CHECKS
#define WORK_BETWEEN_CHECKS 20000000
#endif

/* module.c makes one for each call of a kernel, and looks at Python's signals in `may_go_on`. */
typedef struct Checkpoint {
    bool (*may_go_on)(struct Checkpoint *);
    int64_t work;
} Checkpoint;

/* Books some work, in units of about a nanosecond; true when the kernel has to end. */
static inline bool is_interrupted(Checkpoint *checkpoint, int64_t work)
{
    checkpoint->work += work;
    if (checkpoint->work < WORK_BETWEEN_CHECKS)
        return false;
    checkpoint->work = 0;
    return !checkpoint->may_go_on(checkpoint);
}

/* Room for n items of a size, not set to anything; NULL where there is none. Of no items it is not NULL either. */
static inline void *make_room(ptrdiff_t n, size_t size)
{
    if (n < 0 || (size_t)n > (size_t)PTRDIFF_MAX / size)
        return NULL;
    return malloc(n ? (size_t)n * size : 1);
}

/* The same items with room for n of them; NULL, and the items are where they were, when there is none. */
static inline void *grown(void *items, ptrdiff_t n, size_t size)
{
    if (n <= 0 || (size_t)n > (size_t)PTRDIFF_MAX / size)
        return NULL;
    return realloc(items, (size_t)n * size);
}

/* The larger and the smaller of two numbers that are both numbers: fmax and fmin are calls of a library's function. */
static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

static inline double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* cells.c: points sorted into cubes, so that those near a place are found without looking at all. */

/* A cube that holds points, with the box that they fill. */
typedef struct {
    int64_t key[3];            /* its place in the grid */
    ptrdiff_t first, n_points; /* its points stand together in `Cells.points` */
    double low[3], high[3];
} Cell;

typedef struct {
    double size; /* edge of a cube */
    ptrdiff_t n_points, n_cells;
    Cell *cell;
    ptrdiff_t *point;   /* indices of the points, by cell, ascending in each */
    double (*xyz)[3];   /* their places, in the same order */
    ptrdiff_t *slot;    /* hash table: number of a cell, or -1 */
    size_t n_slots;
} Cells;

/* The cells around a place, as far as they are there. */
typedef struct {
    int64_t key[3];
    int n;              /* -1 before the first question */
    ptrdiff_t cell[27];
} Surroundings;

/* Sorts n points, shape (n, 3), into cubes of a size above zero. Free it also when it says NO_MEMORY. */
Status make_cells(Cells *cells, const double *xyz, ptrdiff_t n, double size);
void free_cells(Cells *cells);

/* The cells that can hold points up to `cells->size` from a place. Cheap when the last place was in the same cube. */
void look_around(const Cells *cells, const double place[3], Surroundings *around);

/* Squared distance from a place to the nearest point of a cell's box. */
double squared_distance_to_box(const Cell *cell, const double place[3]);

/* neighbours.c */

/* Where pairs of points go, and their distances: the first `capacity`, in the order in which they come. */
typedef struct {
    int64_t *pairs; /* shape (capacity, 2) */
    double *distance;
    ptrdiff_t capacity, n; /* all that there are */
} PairList;

/* Pairs (i, j) of points of two sets with a distance up to a cutoff, ascending in i, then in j. */
Status pairs_between(const double *xyz_a, ptrdiff_t n_a, const double *xyz_b, ptrdiff_t n_b, double cutoff,
                     PairList *found, Checkpoint *checkpoint);

/* Pairs i < j of points of one set that have the same label and are closer than a cutoff, in the same order. */
Status pairs_within(const double *xyz, const int64_t *label, ptrdiff_t n, double cutoff, PairList *found,
                    Checkpoint *checkpoint);

/* How many pairs of points of two sets have a squared distance up to the square of a cutoff. */
Status count_between(const double *xyz_a, ptrdiff_t n_a, const double *xyz_b, ptrdiff_t n_b, double cutoff,
                     int64_t *count, Checkpoint *checkpoint);

/* For each point whether one of others is no further from it than a reach. */
Status within_reach(const double *xyz, ptrdiff_t n, const double *of, ptrdiff_t n_of, double reach, bool *inside,
                    Checkpoint *checkpoint);

/* contact_areas.c (with face.c, contour.c and bisector.c): contact areas of balls in their Voronoi diagram. */

/* Areas of pairs, shape (n_pairs, 2), of n balls, as Voronota computes them. Pairs with the same lower index are best
   given one after the other. */
Status contact_areas(const double *xyz, const double *radii, ptrdiff_t n, const int64_t *pairs, ptrdiff_t n_pairs,
                     double *area, Checkpoint *checkpoint);

/* lee_richards.c: solvent-accessible areas of some of n spheres, as FreeSASA computes them. */

/* Areas of the spheres with the indices `of`, each radius with the probe's added, cut into n_slices. */
Status lee_richards(const double *xyz, const double *radii, ptrdiff_t n, const int64_t *of, ptrdiff_t n_of, double probe,
                    int n_slices, double *area, Checkpoint *checkpoint);

/* markov_clusters.c: clusters of a graph. */

/* The number of each node's cluster. Edges, shape (n_edges, 2), are undirected, each there once. */
Status markov_clusters(ptrdiff_t n, const int64_t *edges, ptrdiff_t n_edges, int32_t *label, Checkpoint *checkpoint);

/* aligned_errors.c: scores of pairs of chains by predicted aligned errors. */

/* ipSAE and LIS, shape (n_chains, n_others), of residues of some chains where those of others are aligned: errors in Å,
   shape (n, m), NaN where there is none, and the chain of each row and of each column. 0 without an error that counts. */
Status aligned_errors(const float *pae, ptrdiff_t n, ptrdiff_t m, const int64_t *chain, const int64_t *other,
                      ptrdiff_t n_chains, ptrdiff_t n_others, double *ipsae, double *lis, Checkpoint *checkpoint);

/* cif_rows.c: a table in CIF. */

/* Of the rows of a table of n_columns, from a byte on, the decimal numbers in some columns, which ascend, shape
   (most, n_wanted), and into `rest` all other words, with a blank behind each; it has room for the text behind this byte
   and a blank. Gives the number of rows, and where the table ends. -1 rows where a row is not on a line of its own, a
   value may be in quotes with a blank in it, a number is none of that kind, or there are more rows. */
Status cif_rows(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, ptrdiff_t n_columns, const int64_t *wanted,
                ptrdiff_t n_wanted, ptrdiff_t most, double *number, char *rest, ptrdiff_t *n_rows, ptrdiff_t *n_rest,
                ptrdiff_t *behind, Checkpoint *checkpoint);

/* A text with a 0 for each number in it and a blank for several: what is the same of texts that differ in numbers.
   `outline` has room for the text. */
Status cif_outline(const char *text, ptrdiff_t n_bytes, char *outline, ptrdiff_t *n, Checkpoint *checkpoint);

/* json_matrix.c: blocks of a square matrix in a JSON text. */

/* What a text has instead of a matrix. */
typedef struct {
    enum { NO_FAULT, NO_LIST, NO_NUMBER, NOT_FINITE, WRONG_WIDTH, WRONG_HEIGHT, NO_END } kind;
    ptrdiff_t n;    /* of a number its column, of a row its width, of a matrix the rows that it has at least */
    const char *at; /* where it stands, or NULL */
} JsonFault;

/* The byte behind the colon of the first key of a name from a byte on, or -1. */
Status json_key(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, const char *key, ptrdiff_t n_key,
                ptrdiff_t *behind, Checkpoint *checkpoint);

/* The byte behind the end of a list of lists, two brackets, from a byte within it on, or -1. */
Status json_matrix_end(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, ptrdiff_t *behind, Checkpoint *checkpoint);

/* Of a matrix of n rows and columns the numbers of the rows `first` in the columns `second`, shape (n_first, n_second),
   and of the rows `second` in the columns `first`; both ascend. A text may hold a piece of the matrix: `row` is the row
   that comes next from a byte on, with the matrix' bracket before the first one. It becomes the row behind the last one
   that is there with what follows it, n when all are, and `behind` is where this row begins. Ends early, DONE as well,
   where it finds a fault, of which `row` is the row; that there is not all is one in a text that is whole. */
Status json_matrix_blocks(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, bool is_whole, ptrdiff_t n,
                          const int64_t *first, ptrdiff_t n_first, const int64_t *second, ptrdiff_t n_second,
                          float *forward, float *backward, ptrdiff_t *row, ptrdiff_t *behind, JsonFault *fault,
                          Checkpoint *checkpoint);

#endif
