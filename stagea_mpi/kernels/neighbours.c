/* Which points are near which. A distance is the root of (dx² + dy²) + dz², added up in this order. */

#include "kernels.h"

#include <math.h>

/* A cube is a little larger than the cutoff, and a little more than the cutoff is looked at: rounding loses nobody. */
#define MARGIN 1e-6
/* Edge of a cube where the cutoff is next to nothing. */
#define SMALLEST_CUBE 1e-3

static double size_of_cubes(double cutoff)
{
    return larger(cutoff * (1.0 + MARGIN), SMALLEST_CUBE);
}

static double squared_with_margin(double cutoff)
{
    double wider = cutoff * (1.0 + MARGIN);
    return wider * wider;
}

static inline double squared_distance(const double *a, const double *b)
{
    double dx = a[0] - b[0], dy = a[1] - b[1], dz = a[2] - b[2];
    return dx * dx + dy * dy + dz * dz;
}

/* One partner of a point. */
typedef struct {
    ptrdiff_t point;
    double distance;
} Partner;

typedef struct {
    Partner *partner;
    ptrdiff_t n, room;
} Partners;

static bool add_partner(Partners *found, ptrdiff_t point, double distance)
{
    if (found->n == found->room) {
        ptrdiff_t room = 2 * found->room + 64;
        Partner *partner = grown(found->partner, room, sizeof *partner);
        if (!partner)
            return false;
        found->partner = partner;
        found->room = room;
    }
    found->partner[found->n++] = (Partner){point, distance};
    return true;
}

static int by_point(const void *one, const void *other)
{
    ptrdiff_t a = ((const Partner *)one)->point, b = ((const Partner *)other)->point;
    return (a > b) - (a < b);
}

/* A point looks for its partners among those in cells. */
typedef struct {
    const Cells *cells;
    Surroundings around;
    double wide_squared; /* of the cutoff with its margin */
    Partners found;
    Checkpoint *checkpoint;
} Search;

/* The points of `search->cells` that may be within the cutoff of a place; the last word is the caller's. */
static Status find_partners(Search *search, const double place[3])
{
    const Cells *cells = search->cells;
    int64_t looked_at = 27;
    search->found.n = 0;
    look_around(cells, place, &search->around);
    for (int k = 0; k < search->around.n; k++) {
        const Cell *cell = &cells->cell[search->around.cell[k]];
        if (squared_distance_to_box(cell, place) > search->wide_squared)
            continue;
        looked_at += cell->n_points;
        for (ptrdiff_t at = cell->first; at < cell->first + cell->n_points; at++) {
            double squared = squared_distance(place, cells->xyz[at]);
            if (squared <= search->wide_squared && !add_partner(&search->found, cells->point[at], sqrt(squared)))
                return NO_MEMORY;
        }
    }
    if (search->found.n > 1)
        qsort(search->found.partner, (size_t)search->found.n, sizeof *search->found.partner, by_point);
    return is_interrupted(search->checkpoint, 4 * looked_at + 20 * search->found.n) ? INTERRUPTED : DONE;
}

static void add_pair(PairList *list, ptrdiff_t i, Partner partner)
{
    if (list->n < list->capacity) {
        list->pairs[2 * list->n] = i;
        list->pairs[2 * list->n + 1] = partner.point;
        list->distance[list->n] = partner.distance;
    }
    list->n++;
}

Status pairs_between(const double *xyz_a, ptrdiff_t n_a, const double *xyz_b, ptrdiff_t n_b, double cutoff,
                     PairList *found, Checkpoint *checkpoint)
{
    Cells cells;
    Status status = make_cells(&cells, xyz_b, n_b, size_of_cubes(cutoff));
    Search search = {&cells, {.n = -1}, squared_with_margin(cutoff), {0}, checkpoint};
    for (ptrdiff_t i = 0; i < n_a && status == DONE; i++) {
        status = find_partners(&search, xyz_a + 3 * i);
        for (ptrdiff_t k = 0; k < search.found.n && status == DONE; k++)
            if (search.found.partner[k].distance <= cutoff)
                add_pair(found, i, search.found.partner[k]);
    }
    free(search.found.partner);
    free_cells(&cells);
    return status;
}

Status pairs_within(const double *xyz, const int64_t *label, ptrdiff_t n, double cutoff, PairList *found,
                    Checkpoint *checkpoint)
{
    Cells cells;
    Status status = make_cells(&cells, xyz, n, size_of_cubes(cutoff));
    Search search = {&cells, {.n = -1}, squared_with_margin(cutoff), {0}, checkpoint};
    for (ptrdiff_t i = 0; i < n && status == DONE; i++) {
        status = find_partners(&search, xyz + 3 * i);
        for (ptrdiff_t k = 0; k < search.found.n && status == DONE; k++) {
            Partner partner = search.found.partner[k];
            if (partner.point > i && label[partner.point] == label[i] && partner.distance < cutoff)
                add_pair(found, i, partner);
        }
    }
    free(search.found.partner);
    free_cells(&cells);
    return status;
}

Status count_between(const double *xyz_a, ptrdiff_t n_a, const double *xyz_b, ptrdiff_t n_b, double cutoff,
                     int64_t *count, Checkpoint *checkpoint)
{
    Cells cells;
    Status status = make_cells(&cells, xyz_b, n_b, size_of_cubes(cutoff));
    Surroundings around = {.n = -1};
    *count = 0;
    for (ptrdiff_t i = 0; i < n_a && status == DONE; i++) {
        const double *place = xyz_a + 3 * i;
        int64_t looked_at = 27;
        look_around(&cells, place, &around);
        for (int k = 0; k < around.n; k++) {
            const Cell *cell = &cells.cell[around.cell[k]];
            if (squared_distance_to_box(cell, place) > squared_with_margin(cutoff))
                continue;
            looked_at += cell->n_points;
            for (ptrdiff_t at = cell->first; at < cell->first + cell->n_points; at++)
                *count += squared_distance(place, cells.xyz[at]) <= cutoff * cutoff;
        }
        if (is_interrupted(checkpoint, 4 * looked_at))
            status = INTERRUPTED;
    }
    free_cells(&cells);
    return status;
}

/* Whether any point in the cells around a place is no further from it than a reach. */
static bool has_any(const Cells *cells, const Surroundings *around, const double place[3], double reach,
                    int64_t *looked_at)
{
    double wide_squared = squared_with_margin(reach);
    for (int k = 0; k < around->n; k++) {
        const Cell *cell = &cells->cell[around->cell[k]];
        if (squared_distance_to_box(cell, place) > wide_squared)
            continue;
        for (ptrdiff_t at = cell->first; at < cell->first + cell->n_points; at++) {
            double squared = squared_distance(place, cells->xyz[at]);
            if (squared <= wide_squared && sqrt(squared) <= reach) {
                *looked_at += at - cell->first + 1;
                return true;
            }
        }
        *looked_at += cell->n_points;
    }
    return false;
}

Status within_reach(const double *xyz, ptrdiff_t n, const double *of, ptrdiff_t n_of, double reach, bool *inside,
                    Checkpoint *checkpoint)
{
    Cells cells;
    Status status = make_cells(&cells, of, n_of, size_of_cubes(reach));
    Surroundings around = {.n = -1};
    for (ptrdiff_t i = 0; i < n && status == DONE; i++) {
        int64_t looked_at = 27;
        look_around(&cells, xyz + 3 * i, &around);
        inside[i] = has_any(&cells, &around, xyz + 3 * i, reach, &looked_at);
        if (is_interrupted(checkpoint, 4 * looked_at))
            status = INTERRUPTED;
    }
    free_cells(&cells);
    return status;
}
