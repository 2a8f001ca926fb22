/* Points sorted into cubes (a cell list). The cubes that hold points are found through a hash table, so that neither
   memory nor time depend on how far apart the points are. */

#include "kernels.h"

#include <math.h>

/* Cubes further out than this are one: a place divided by the size would be rounded to another cube. */
#define FARTHEST 1e9

static int64_t key_of(double x, double size)
{
    double place = floor(x / size);
    return (int64_t)larger(-FARTHEST, smaller(FARTHEST, place));
}

static void key_of_place(const double place[3], double size, int64_t key[3])
{
    for (int axis = 0; axis < 3; axis++)
        key[axis] = key_of(place[axis], size);
}

/* Multiplications and shifts that let every bit of the key count (the finalizer of splitmix64). */
static size_t hashed(const int64_t key[3])
{
    uint64_t hash = 0;
    for (int axis = 0; axis < 3; axis++) {
        hash += (uint64_t)key[axis] + 0x9E3779B97F4A7C15u;
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9u;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBu;
        hash ^= hash >> 31;
    }
    return (size_t)hash;
}

/* The slot in which a cell stands, or the empty one in which it would. */
static size_t slot_of(const Cells *cells, const int64_t key[3])
{
    size_t slot = hashed(key) & (cells->n_slots - 1);
    for (;; slot = (slot + 1) & (cells->n_slots - 1)) {
        if (cells->slot[slot] < 0)
            return slot;
        const int64_t *there = cells->cell[cells->slot[slot]].key;
        if (there[0] == key[0] && there[1] == key[1] && there[2] == key[2])
            return slot;
    }
}

/* The cell of a place, made where there is none. */
static ptrdiff_t cell_of(Cells *cells, const double place[3])
{
    int64_t key[3];
    key_of_place(place, cells->size, key);
    size_t slot = slot_of(cells, key);
    if (cells->slot[slot] < 0) {
        Cell *made = &cells->cell[cells->n_cells];
        *made = (Cell){.key = {key[0], key[1], key[2]},
                       .low = {place[0], place[1], place[2]},
                       .high = {place[0], place[1], place[2]}};
        cells->slot[slot] = cells->n_cells++;
    }
    return cells->slot[slot];
}

static void add_to_cell(Cell *cell, const double place[3])
{
    cell->n_points++;
    for (int axis = 0; axis < 3; axis++) {
        cell->low[axis] = smaller(cell->low[axis], place[axis]);
        cell->high[axis] = larger(cell->high[axis], place[axis]);
    }
}

Status make_cells(Cells *cells, const double *xyz, ptrdiff_t n, double size)
{
    size_t n_slots = 16;
    while (n_slots / 2 < (size_t)n)
        n_slots *= 2;
    *cells = (Cells){.size = size, .n_points = n, .n_slots = n_slots};
    cells->cell = make_room(n, sizeof *cells->cell);
    cells->point = make_room(n, sizeof *cells->point);
    cells->xyz = make_room(n, sizeof *cells->xyz);
    cells->slot = make_room((ptrdiff_t)n_slots, sizeof *cells->slot);
    ptrdiff_t *own = make_room(n, sizeof *own); /* the cell of each point */
    if (!cells->cell || !cells->point || !cells->xyz || !cells->slot || !own) {
        free(own);
        return NO_MEMORY;
    }
    for (size_t slot = 0; slot < n_slots; slot++)
        cells->slot[slot] = -1;
    for (ptrdiff_t i = 0; i < n; i++) {
        own[i] = cell_of(cells, xyz + 3 * i);
        add_to_cell(&cells->cell[own[i]], xyz + 3 * i);
    }
    ptrdiff_t first = 0;
    for (ptrdiff_t c = 0; c < cells->n_cells; c++) {
        cells->cell[c].first = first;
        first += cells->cell[c].n_points;
        cells->cell[c].n_points = 0;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        Cell *cell = &cells->cell[own[i]];
        ptrdiff_t place = cell->first + cell->n_points++;
        cells->point[place] = i;
        for (int axis = 0; axis < 3; axis++)
            cells->xyz[place][axis] = xyz[3 * i + axis];
    }
    free(own);
    return DONE;
}

void free_cells(Cells *cells)
{
    free(cells->cell);
    free(cells->point);
    free(cells->xyz);
    free(cells->slot);
    *cells = (Cells){0};
}

void look_around(const Cells *cells, const double place[3], Surroundings *around)
{
    int64_t key[3];
    key_of_place(place, cells->size, key);
    if (around->n >= 0 && key[0] == around->key[0] && key[1] == around->key[1] && key[2] == around->key[2])
        return;
    around->n = 0;
    for (int axis = 0; axis < 3; axis++)
        around->key[axis] = key[axis];
    for (int dx = -1; dx <= 1; dx++)
        for (int dy = -1; dy <= 1; dy++)
            for (int dz = -1; dz <= 1; dz++) {
                const int64_t near[3] = {key[0] + dx, key[1] + dy, key[2] + dz};
                ptrdiff_t cell = cells->slot[slot_of(cells, near)];
                if (cell >= 0)
                    around->cell[around->n++] = cell;
            }
}

double squared_distance_to_box(const Cell *cell, const double place[3])
{
    double sum = 0.0;
    for (int axis = 0; axis < 3; axis++) {
        double outside = larger(0.0, larger(cell->low[axis] - place[axis], place[axis] - cell->high[axis]));
        sum += outside * outside;
    }
    return sum;
}
