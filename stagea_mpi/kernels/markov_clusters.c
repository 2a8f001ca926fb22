/* Markov clustering (MCL; S. van Dongen, Graph clustering by flow simulation, Utrecht 2000) of an undirected graph, equal
   in result to markov_clustering 0.0.6.

   M is a matrix whose column j says where a walker goes from node j: at first to j itself and to each neighbour, all
   equally likely. A step takes M² (expansion), squares each entry and divides each column by its sum (inflation), and
   drops small entries (pruning). It is repeated until a step changes next to nothing. Then walkers stay: a node with a
   walker on it at the end is an attractor, and a cluster is all nodes from which walkers come to it.

   Columns are sparse. In a symmetric graph rounding decides, so the order of sums is part of the result: all run over
   ascending rows. A column is not computed again once it and those that it is made of are the same bits as a step
   before; what it would become is what it is. */

#include "kernels.h"

#include <math.h>
#include <string.h>

#define PRUNING_THRESHOLD 0.001
#define MOST_STEPS 100
/* When a step counts as having changed nothing. */
#define RELATIVE_TOLERANCE 1e-5
#define ABSOLUTE_TOLERANCE 1e-8

typedef struct {
    int32_t row;
    double value;
} Entry;

/* The columns of a matrix; those of column j are entry[first[j]] to before entry[first[j + 1]], by ascending row. */
typedef struct {
    ptrdiff_t n;
    ptrdiff_t *first; /* n + 1 of them */
    Entry *entry;
    ptrdiff_t room;
} Columns;

/* A column that is being added up: the sums of all rows, and a bit for each row that has one. */
typedef struct {
    double *sum;
    uint64_t *has_one;
    ptrdiff_t low, high; /* words of these bits that are not all 0: from `low` up to before `high` */
    ptrdiff_t n_words;
} Sums;

static void free_columns(Columns *columns)
{
    free(columns->first);
    free(columns->entry);
}

static Status make_columns(Columns *columns, ptrdiff_t n, ptrdiff_t room)
{
    *columns = (Columns){.n = n, .room = room};
    columns->first = make_room(n + 1, sizeof *columns->first);
    columns->entry = make_room(room, sizeof *columns->entry);
    if (!columns->first || !columns->entry)
        return NO_MEMORY;
    columns->first[0] = 0;
    return DONE;
}

static Status make_room_in_column(Columns *columns, ptrdiff_t end)
{
    if (end <= columns->room)
        return DONE;
    ptrdiff_t room = end + end / 2;
    Entry *entry = grown(columns->entry, room, sizeof *entry);
    if (!entry)
        return NO_MEMORY;
    columns->entry = entry;
    columns->room = room;
    return DONE;
}

static Status make_sums(Sums *sums, ptrdiff_t n)
{
    sums->n_words = n / 64 + 1;
    sums->low = sums->n_words;
    sums->high = 0;
    sums->sum = make_room(n, sizeof *sums->sum);
    sums->has_one = make_room(sums->n_words, sizeof *sums->has_one);
    if (!sums->sum || !sums->has_one)
        return NO_MEMORY;
    memset(sums->has_one, 0, (size_t)sums->n_words * sizeof *sums->has_one);
    return DONE;
}

static inline void add(Sums *sums, int32_t row, double value)
{
    ptrdiff_t word = row / 64;
    uint64_t bit = (uint64_t)1 << (row % 64);
    if (sums->has_one[word] & bit) {
        sums->sum[row] += value;
        return;
    }
    sums->has_one[word] |= bit;
    sums->sum[row] = value;
    if (word < sums->low)
        sums->low = word;
    if (word >= sums->high)
        sums->high = word + 1;
}

/* Appends what was added up as column j, and begins anew. */
static Status take_column(Sums *sums, Columns *columns, ptrdiff_t j)
{
    ptrdiff_t end = columns->first[j];
    for (ptrdiff_t word = sums->low; word < sums->high; word++) {
        if (make_room_in_column(columns, end + 64) != DONE)
            return NO_MEMORY;
        for (uint64_t left = sums->has_one[word]; left; left &= left - 1) {
            int32_t row = (int32_t)(64 * word + __builtin_ctzll(left));
            columns->entry[end++] = (Entry){row, sums->sum[row]};
        }
        sums->has_one[word] = 0;
    }
    sums->low = sums->n_words;
    sums->high = 0;
    columns->first[j + 1] = end;
    return DONE;
}

static void divide_by_sum(Columns *columns, ptrdiff_t j)
{
    double sum = 0.0;
    for (ptrdiff_t k = columns->first[j]; k < columns->first[j + 1]; k++)
        sum += columns->entry[k].value;
    for (ptrdiff_t k = columns->first[j]; k < columns->first[j + 1]; k++)
        columns->entry[k].value /= sum;
}

/* Column j of M²: columns k of M, each times the entry k of column j. */
static int64_t expand(const Columns *columns, ptrdiff_t j, Sums *sums)
{
    int64_t n_products = 0;
    for (ptrdiff_t at = columns->first[j]; at < columns->first[j + 1]; at++) {
        Entry of = columns->entry[at];
        for (ptrdiff_t k = columns->first[of.row]; k < columns->first[of.row + 1]; k++)
            add(sums, columns->entry[k].row, of.value * columns->entry[k].value);
        n_products += columns->first[of.row + 1] - columns->first[of.row];
    }
    return n_products;
}

static void inflate(Columns *columns, ptrdiff_t j)
{
    for (ptrdiff_t k = columns->first[j]; k < columns->first[j + 1]; k++)
        columns->entry[k].value *= columns->entry[k].value;
    divide_by_sum(columns, j);
}

/* Drops entries below the threshold, but for the largest where all are (the first of equals). */
static void prune(Columns *columns, ptrdiff_t j)
{
    ptrdiff_t first = columns->first[j], end = first, largest = first;
    for (ptrdiff_t k = first; k < columns->first[j + 1]; k++)
        if (columns->entry[k].value > columns->entry[largest].value)
            largest = k;
    Entry kept = columns->entry[largest];
    for (ptrdiff_t k = first; k < columns->first[j + 1]; k++)
        if (columns->entry[k].value >= PRUNING_THRESHOLD)
            columns->entry[end++] = columns->entry[k];
    if (end == first)
        columns->entry[end++] = kept;
    columns->first[j + 1] = end;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static bool is_next_to(double now, double before)
{
    return fabs(now - before) - RELATIVE_TOLERANCE * before <= ABSOLUTE_TOLERANCE;
}

/* Whether column j is nearly what it was; *is_same tells whether it is the same bits. */
static bool is_column_next_to(const Columns *now, const Columns *before, ptrdiff_t j, bool *is_same)
{
    ptrdiff_t a = now->first[j], b = before->first[j];
    bool is_next = true;
    *is_same = true;
    while (a < now->first[j + 1] || b < before->first[j + 1]) {
        bool has_a = a < now->first[j + 1], has_b = b < before->first[j + 1];
        int32_t row_a = has_a ? now->entry[a].row : INT32_MAX, row_b = has_b ? before->entry[b].row : INT32_MAX;
        double value_a = row_a <= row_b ? now->entry[a++].value : 0.0;
        double value_b = row_b <= row_a ? before->entry[b++].value : 0.0;
        *is_same &= row_a == row_b && value_a == value_b;
        is_next &= is_next_to(value_a, value_b);
    }
    return is_next;
}

/* Whether column j and all that it is made of came out of the last step as they had gone in. */
static bool is_at_rest(const Columns *columns, ptrdiff_t j, const bool *has_changed)
{
    if (has_changed[j])
        return false;
    for (ptrdiff_t k = columns->first[j]; k < columns->first[j + 1]; k++)
        if (has_changed[columns->entry[k].row])
            return false;
    return true;
}

static Status copy_column(const Columns *from, Columns *to, ptrdiff_t j)
{
    ptrdiff_t n = from->first[j + 1] - from->first[j];
    if (make_room_in_column(to, to->first[j] + n) != DONE)
        return NO_MEMORY;
    memcpy(to->entry + to->first[j], from->entry + from->first[j], (size_t)n * sizeof *to->entry);
    to->first[j + 1] = to->first[j] + n;
    return DONE;
}

/* One step from `before` to `now`. Reads in has_changed which columns the last step has changed, and writes into
   changes which ones this has. */
static Status step(const Columns *before, Columns *now, Sums *sums, const bool *has_changed, bool *changes,
                   bool *is_over, Checkpoint *checkpoint)
{
    *is_over = true;
    for (ptrdiff_t j = 0; j < before->n; j++) {
        changes[j] = false;
        if (is_at_rest(before, j, has_changed)) {
            if (copy_column(before, now, j) != DONE)
                return NO_MEMORY;
            continue;
        }
        int64_t n_products = expand(before, j, sums);
        if (take_column(sums, now, j) != DONE)
            return NO_MEMORY;
        inflate(now, j);
        prune(now, j);
        bool is_same;
        if (!is_column_next_to(now, before, j, &is_same))
            *is_over = false;
        changes[j] = !is_same;
        if (is_interrupted(checkpoint, 2 * n_products + 100))
            return INTERRUPTED;
    }
    return DONE;
}

/* The first matrix: from each node to itself and its neighbours. */
static Status walk_matrix(ptrdiff_t n, const int64_t *edges, ptrdiff_t n_edges, Sums *sums, Columns *matrix)
{
    ptrdiff_t *first = make_room(n + 2, sizeof *first), *neighbour = make_room(2 * n_edges, sizeof *neighbour);
    Status status = first && neighbour ? DONE : NO_MEMORY;
    if (status == DONE) {
        memset(first, 0, (size_t)(n + 2) * sizeof *first);
        for (ptrdiff_t k = 0; k < 2 * n_edges; k++)
            first[edges[k] + 2]++;
        for (ptrdiff_t j = 0; j < n; j++)
            first[j + 2] += first[j + 1];
        for (ptrdiff_t k = 0; k < 2 * n_edges; k++) /* an edge's ends stand side by side: k and k ^ 1 */
            neighbour[first[edges[k] + 1]++] = edges[k ^ 1];
    }
    for (ptrdiff_t j = 0; j < n && status == DONE; j++) {
        add(sums, (int32_t)j, 1.0);
        for (ptrdiff_t k = first[j]; k < first[j + 1]; k++)
            add(sums, (int32_t)neighbour[k], 1.0);
        status = take_column(sums, matrix, j);
        if (status == DONE)
            divide_by_sum(matrix, j);
    }
    free(first);
    free(neighbour);
    return status;
}

/* ---- Clusters ------------------------------------------------------------------------------------------------------ */

/* Nodes from which walkers come to an attractor, ascending. */
typedef struct {
    const int32_t *member;
    ptrdiff_t n;
} Cluster;

static int by_members(const void *one, const void *other)
{
    const Cluster *a = one, *b = other;
    for (ptrdiff_t k = 0; k < a->n && k < b->n; k++)
        if (a->member[k] != b->member[k])
            return a->member[k] < b->member[k] ? -1 : 1;
    return (a->n > b->n) - (a->n < b->n);
}

/* How many entries each attractor's row has, 0 for other nodes: those without an entry on the diagonal. */
static void count_members(const Columns *matrix, ptrdiff_t *n_members)
{
    for (ptrdiff_t j = 0; j < matrix->n; j++)
        for (ptrdiff_t k = matrix->first[j]; k < matrix->first[j + 1]; k++)
            if (matrix->entry[k].row == j)
                n_members[j] = 1;
    for (ptrdiff_t j = 0; j < matrix->n; j++)
        for (ptrdiff_t k = matrix->first[j]; k < matrix->first[j + 1]; k++)
            if (n_members[matrix->entry[k].row])
                n_members[matrix->entry[k].row]++;
    for (ptrdiff_t i = 0; i < matrix->n; i++)
        n_members[i] -= n_members[i] > 0;
}

/* Clusters are numbered in the order of their members; a node of several has the last one's number. */
static void number_clusters(Cluster *cluster, ptrdiff_t n, int32_t *label)
{
    int32_t number = -1;
    qsort(cluster, (size_t)n, sizeof *cluster, by_members);
    for (ptrdiff_t c = 0; c < n; c++) {
        if (c == 0 || by_members(&cluster[c - 1], &cluster[c]))
            number++;
        for (ptrdiff_t k = 0; k < cluster[c].n; k++)
            label[cluster[c].member[k]] = number;
    }
}

static Status label_nodes(const Columns *matrix, int32_t *label)
{
    const ptrdiff_t n = matrix->n, n_entries = matrix->first[n];
    ptrdiff_t *n_members = make_room(n, sizeof *n_members), *place = make_room(n, sizeof *place);
    Cluster *cluster = make_room(n, sizeof *cluster);
    int32_t *member = make_room(n_entries, sizeof *member);
    Status status = n_members && place && cluster && member ? DONE : NO_MEMORY;
    if (status == DONE) {
        memset(n_members, 0, (size_t)n * sizeof *n_members);
        count_members(matrix, n_members);
        ptrdiff_t n_clusters = 0, end = 0;
        for (ptrdiff_t i = 0; i < n; i++) {
            place[i] = end;
            if (n_members[i])
                cluster[n_clusters++] = (Cluster){member + end, n_members[i]};
            end += n_members[i];
        }
        for (ptrdiff_t j = 0; j < n; j++) {
            label[j] = 0;
            for (ptrdiff_t k = matrix->first[j]; k < matrix->first[j + 1]; k++) {
                int32_t row = matrix->entry[k].row;
                if (n_members[row])
                    member[place[row]++] = (int32_t)j;
            }
        }
        number_clusters(cluster, n_clusters, label);
    }
    free(n_members);
    free(place);
    free(cluster);
    free(member);
    return status;
}

Status markov_clusters(ptrdiff_t n, const int64_t *edges, ptrdiff_t n_edges, int32_t *label, Checkpoint *checkpoint)
{
    Columns before = {0}, now = {0};
    Sums sums = {0};
    bool is_over = false, *has_changed = make_room(n, sizeof *has_changed), *changes = make_room(n, sizeof *changes);
    Status status = has_changed && changes ? make_sums(&sums, n) : NO_MEMORY;
    if (status == DONE)
        status = make_columns(&before, n, n + 2 * n_edges);
    if (status == DONE)
        status = make_columns(&now, n, n + 2 * n_edges);
    if (status == DONE)
        status = walk_matrix(n, edges, n_edges, &sums, &now);
    for (ptrdiff_t j = 0; j < n && status == DONE; j++)
        changes[j] = true;
    for (int k = 0; k < MOST_STEPS && !is_over && status == DONE; k++) {
        Columns earlier = before;
        before = now;
        now = earlier;
        bool *had_changed = has_changed;
        has_changed = changes;
        changes = had_changed;
        status = step(&before, &now, &sums, has_changed, changes, &is_over, checkpoint);
    }
    if (status == DONE)
        status = label_nodes(&now, label);
    free_columns(&before);
    free_columns(&now);
    free(sums.sum);
    free(sums.has_one);
    free(has_changed);
    free(changes);
    return status;
}
