/* Solvent-accessible surface areas of spheres by slices (B. Lee & F. M. Richards, J. Mol. Biol. 55 (1971) 379), with the
   same bits as FreeSASA (S. Mitternacht, F1000Research 5 (2016) 189) gives them.

   A sphere is cut into slices across z. In each it is a circle, of which other spheres' circles cover arcs; the area is
   the sum over slices of (thickness of the slice) · (radius of the sphere) · (angle that is left). All radii have the
   probe's added. FreeSASA takes slice by slice and lists, sorts and adds up all arcs in it. This does less:

   - only for the spheres that are asked for;
   - a neighbour is looked at in the slices that it reaches, the largest caps first;
   - arcs are merged as they come, and once they cover the circle no further angle is worked out;
   - the direction of a neighbour is worked out once, and when it is first needed.

   Whether two circles meet is told without a root: with t = Rᵢ'² + d² − Rⱼ'², they cross where t² < (2 Rᵢ' d)². Where
   rounding might decide this otherwise than FreeSASA's own comparisons, or where its arc cosine is not defined, the
   slice is doubtful and computed in FreeSASA's own steps and order (`exposed_in_doubt`). */

#include "kernels.h"

#include <math.h>

#define PI 3.14159265358979323846
#define TWO_PI (2 * PI)

/* A slice is in doubt where t² and (2 Rᵢ' d)² differ by less than this share of (Rᵢ'² + d² + Rⱼ'²)²: thousands of
   roundings. */
#define DOUBT 1e-12

/* From one angle to another, in radians. */
typedef struct {
    double from, to;
} Arc;

/* The spheres of one call. */
typedef struct {
    const double *xyz;
    double *radius; /* with the probe's */
    ptrdiff_t n;
    double largest; /* of the radii */
    Cells cells;
    double corner[3]; /* of the grid in which FreeSASA lists neighbours: cubes with an edge of 2 · largest */
} Spheres;

/* A sphere j that meets sphere i. */
typedef struct {
    ptrdiff_t j;
    double x, y;              /* from i to j, across z */
    double distance, squared; /* √(x² + y²), and the square of that */
    double z, radius;         /* of j */
} Neighbour;

/* A neighbour's place among them by the cap that it cuts off. */
typedef struct {
    double order; /* the smaller, the larger is the cap: twice the distance of its plane from the centre of i */
    ptrdiff_t neighbour;
} Ranked;

typedef enum { OPEN, COVERED, BURIED, IN_DOUBT, EMPTY } SliceState;

/* What one sphere's computation needs; kept from one to the next. */
typedef struct {
    int n_slices;
    ptrdiff_t room; /* for neighbours */
    Neighbour *neighbour;
    Ranked *rank;
    ptrdiff_t n_neighbours;
    Surroundings around;
    double *z, *squared, *radius; /* of each slice: where it is, Rᵢ'², Rᵢ' */
    double *t, *crossing, *doubt; /* of each slice, for the neighbour in hand */
    SliceState *state;
    ptrdiff_t *n_arcs;
    ptrdiff_t arcs_room;
    Arc *arc; /* of each slice, shape (n_slices, arcs_room): merged, ascending */
    Arc *all; /* those of a slice in doubt */
    struct Listed *listed;
    ptrdiff_t n_listed; /* -1 until they are needed */
} Work;

/* ---- FreeSASA's lists of neighbours ------------------------------------------------------------------------------

   FreeSASA goes through its cubes, and for each through those of its 26 neighbours that do not lie backwards: whose
   steps along x, y and z add up to 0 or more. So two spheres in cubes whose steps add up to 0 are listed twice. The
   list that a sphere gets has the vector as it was computed from the first sphere of the pair to the second; the other
   gets it negated. That matters where y is 0, since 0 and −0 are angles apart, and where arcs cannot be sorted. */

typedef enum { FORWARDS = 1, BACKWARDS = 2, TWICE = FORWARDS | BACKWARDS } Direction;

static void cube_of(const Spheres *spheres, ptrdiff_t i, double cube[3])
{
    for (int axis = 0; axis < 3; axis++)
        cube[axis] = trunc((spheres->xyz[3 * i + axis] - spheres->corner[axis]) / (2 * spheres->largest));
}

/* In which direction the pair of i with its neighbour j is listed. */
static Direction direction_of(const Spheres *spheres, ptrdiff_t i, ptrdiff_t j)
{
    double a[3], b[3];
    cube_of(spheres, i, a);
    cube_of(spheres, j, b);
    double steps = (b[0] - a[0]) + (b[1] - a[1]) + (b[2] - a[2]);
    if (a[0] == b[0] && a[1] == b[1] && a[2] == b[2])
        return i < j ? FORWARDS : BACKWARDS;
    return steps > 0 ? FORWARDS : steps < 0 ? BACKWARDS : TWICE;
}

/* An entry of FreeSASA's list of a sphere's neighbours. */
typedef struct Listed {
    const Neighbour *neighbour;
    double x, y;     /* with the sign that a zero has there */
    double place[8]; /* by which the list is sorted: cube of the pair's first (z, y, x), step to the second's (x, y, z),
                        the first's index, the second's */
} Listed;

/* From i to j across z, with the zeros that the list has: negated when j is the pair's first. */
static void listed_vector(const Spheres *spheres, ptrdiff_t i, ptrdiff_t j, bool forwards, double *x, double *y)
{
    const double *a = spheres->xyz + 3 * i, *b = spheres->xyz + 3 * j;
    *x = forwards ? b[0] - a[0] : -(a[0] - b[0]);
    *y = forwards ? b[1] - a[1] : -(a[1] - b[1]);
}

static Listed listed_entry(const Spheres *spheres, ptrdiff_t i, const Neighbour *neighbour, bool forwards)
{
    ptrdiff_t first = forwards ? i : neighbour->j, second = forwards ? neighbour->j : i;
    double a[3], b[3];
    cube_of(spheres, first, a);
    cube_of(spheres, second, b);
    Listed entry = {.neighbour = neighbour,
                    .place = {a[2], a[1], a[0], b[0] - a[0], b[1] - a[1], b[2] - a[2], (double)first, (double)second}};
    listed_vector(spheres, i, neighbour->j, forwards, &entry.x, &entry.y);
    return entry;
}

static int by_place(const void *one, const void *other)
{
    const double *a = ((const Listed *)one)->place, *b = ((const Listed *)other)->place;
    for (int k = 0; k < 8; k++)
        if (a[k] < b[k] || a[k] > b[k])
            return a[k] < b[k] ? -1 : 1;
    return 0;
}

/* The neighbours of sphere i in FreeSASA's order. */
static Status list_neighbours(const Spheres *spheres, ptrdiff_t i, Work *work)
{
    free(work->listed);
    work->n_listed = 0;
    work->listed = make_room(2 * work->n_neighbours, sizeof *work->listed);
    if (!work->listed)
        return NO_MEMORY;
    for (ptrdiff_t k = 0; k < work->n_neighbours; k++) {
        const Neighbour *neighbour = &work->neighbour[k];
        Direction direction = direction_of(spheres, i, neighbour->j);
        if (direction & FORWARDS)
            work->listed[work->n_listed++] = listed_entry(spheres, i, neighbour, true);
        if (direction & BACKWARDS)
            work->listed[work->n_listed++] = listed_entry(spheres, i, neighbour, false);
    }
    qsort(work->listed, (size_t)work->n_listed, sizeof *work->listed, by_place);
    return DONE;
}

/* ---- Arcs -------------------------------------------------------------------------------------------------------- */

/* The arc of ± alpha around beta between 0 and 2π: one, or two where it passes 0. */
static int arcs_around(double beta, double alpha, Arc arcs[2])
{
    double from = beta - alpha, to = beta + alpha;
    if (from < 0)
        from += TWO_PI;
    if (to > TWO_PI)
        to -= TWO_PI;
    if (to < from) {
        arcs[0] = (Arc){0, to};
        arcs[1] = (Arc){from, TWO_PI};
        return 2;
    }
    arcs[0] = (Arc){from, to};
    return 1;
}

/* Puts an arc among others that are apart and ascending; returns how many there are then. */
static ptrdiff_t merge_arc(Arc *arc, ptrdiff_t n, Arc added)
{
    ptrdiff_t first = 0;
    while (first < n && arc[first].to < added.from)
        first++;
    ptrdiff_t end = first; /* those from `first` up to here become one with it */
    while (end < n && arc[end].from <= added.to)
        end++;
    if (end == first) {
        for (ptrdiff_t k = n; k > first; k--)
            arc[k] = arc[k - 1];
        arc[first] = added;
        return n + 1;
    }
    arc[first].from = added.from < arc[first].from ? added.from : arc[first].from;
    arc[first].to = added.to > arc[end - 1].to ? added.to : arc[end - 1].to;
    ptrdiff_t gone = end - first - 1;
    for (ptrdiff_t k = end; gone && k < n; k++)
        arc[k - gone] = arc[k];
    return n - gone;
}

/* The angle that ascending arcs leave of a circle; arcs may overlap here. */
static double exposed_angle(const Arc *arc, ptrdiff_t n)
{
    if (n == 0)
        return TWO_PI;
    double sum = arc[0].from, end = arc[0].to;
    for (ptrdiff_t k = 1; k < n; k++) {
        if (end < arc[k].from)
            sum += arc[k].from - end;
        if (arc[k].to > end)
            end = arc[k].to;
    }
    return sum + TWO_PI - end;
}

static int by_start(const void *one, const void *other)
{
    double a = ((const Arc *)one)->from, b = ((const Arc *)other)->from;
    return (a > b) - (a < b);
}

/* FreeSASA sorts by insertion. Nothing gets past an arc that is not a number, so what lies between such is sorted. */
static void sort_arcs(Arc *arc, ptrdiff_t n)
{
    for (ptrdiff_t first = 0, end; first < n; first = end + 1) {
        for (end = first; end < n && !isnan(arc[end].from); end++)
            ;
        if (end > first + 1)
            qsort(arc + first, (size_t)(end - first), sizeof *arc, by_start);
    }
}

/* The exposed angle of sphere i in a slice, in FreeSASA's own steps. */
static Status exposed_in_doubt(const Spheres *spheres, ptrdiff_t i, Work *work, int s, double *exposed)
{
    if (work->n_listed < 0 && list_neighbours(spheres, i, work) != DONE)
        return NO_MEMORY;
    if (!work->all && !(work->all = make_room(4 * work->room, sizeof *work->all)))
        return NO_MEMORY;
    const double radius = work->radius[s], squared = work->squared[s];
    ptrdiff_t n = 0;
    for (ptrdiff_t k = 0; k < work->n_listed; k++) {
        const Neighbour *other = work->listed[k].neighbour;
        double off = fabs(other->z - work->z[s]), distance = other->distance;
        if (!(off < other->radius))
            continue;
        double other_squared = other->radius * other->radius - off * off, other_radius = sqrt(other_squared);
        if (distance >= radius + other_radius)
            continue;
        if (distance + radius < other_radius) {
            *exposed = 0.0;
            return DONE;
        }
        if (distance + other_radius < radius)
            continue;
        double alpha = acos((squared + distance * distance - other_squared) / (2.0 * radius * distance));
        double beta = atan2(work->listed[k].y, work->listed[k].x) + PI;
        n += arcs_around(beta, alpha, work->all + n);
    }
    sort_arcs(work->all, n);
    *exposed = exposed_angle(work->all, n);
    return DONE;
}

/* ---- One sphere ---------------------------------------------------------------------------------------------------- */

/* Slices of sphere i from below to above. */
static void cut_into_slices(const Spheres *spheres, ptrdiff_t i, Work *work, double thickness)
{
    const double middle = spheres->xyz[3 * i + 2], radius = spheres->radius[i];
    double z = middle - radius - 0.5 * thickness; /* added up as FreeSASA does, with its rounding */
    for (int s = 0; s < work->n_slices; s++) {
        z += thickness;
        double off = fabs(middle - z), squared = radius * radius - off * off;
        work->z[s] = z;
        work->squared[s] = squared;
        work->radius[s] = squared < 0 ? 0.0 : sqrt(squared);
        work->state[s] = work->radius[s] > 0 ? OPEN : EMPTY;
        work->n_arcs[s] = 0;
    }
}

static Status make_room_for_neighbours(Work *work, ptrdiff_t room)
{
    Neighbour *neighbour = grown(work->neighbour, room, sizeof *neighbour);
    if (!neighbour)
        return NO_MEMORY;
    work->neighbour = neighbour;
    Ranked *rank = grown(work->rank, room, sizeof *rank);
    if (!rank)
        return NO_MEMORY;
    work->rank = rank;
    work->room = room;
    /* A neighbour brings an arc, or two when it is listed twice; all that pass 0 become one at 0 and one at 2π. */
    work->arcs_room = 2 * room + 3;
    free(work->arc);
    free(work->all);
    work->all = NULL;
    work->arc = make_room(work->arcs_room, (size_t)work->n_slices * sizeof *work->arc);
    return work->arc ? DONE : NO_MEMORY;
}

/* The spheres that meet sphere i, the largest caps first. */
static Status find_neighbours(const Spheres *spheres, ptrdiff_t i, Work *work, int64_t *looked_at)
{
    const double *place = spheres->xyz + 3 * i, radius = spheres->radius[i];
    const double reach = (radius + spheres->largest) * (1.0 + 1e-6);
    work->n_neighbours = 0;
    look_around(&spheres->cells, place, &work->around);
    for (int c = 0; c < work->around.n; c++) {
        const Cell *cell = &spheres->cells.cell[work->around.cell[c]];
        if (squared_distance_to_box(cell, place) > reach * reach)
            continue;
        *looked_at += cell->n_points;
        for (ptrdiff_t at = cell->first; at < cell->first + cell->n_points; at++) {
            const double *other = spheres->cells.xyz[at];
            ptrdiff_t j = spheres->cells.point[at];
            double x = other[0] - place[0], y = other[1] - place[1], z = other[2] - place[2];
            double distance_squared = x * x + y * y + z * z, touching = radius + spheres->radius[j];
            if (!(distance_squared < touching * touching) || j == i)
                continue;
            if (work->n_neighbours == work->room && make_room_for_neighbours(work, 2 * work->room) != DONE)
                return NO_MEMORY;
            double across = sqrt(x * x + y * y), other_radius = spheres->radius[j];
            double order = (radius * radius + distance_squared - other_radius * other_radius) / sqrt(distance_squared);
            work->rank[work->n_neighbours] = (Ranked){order, work->n_neighbours};
            work->neighbour[work->n_neighbours++] =
                (Neighbour){j, x, y, across, across * across, other[2], other_radius};
        }
    }
    return DONE;
}

/* Puts the largest caps first (Shell's sort: for some fifty at a time the quickest that is never slow). */
static void sort_by_cap(Ranked *rank, ptrdiff_t n)
{
    ptrdiff_t gap = 1;
    while (gap < n / 3)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (ptrdiff_t k = gap; k < n; k++) {
            Ranked moved = rank[k];
            ptrdiff_t to = k;
            for (; to >= gap && rank[to - gap].order > moved.order; to -= gap)
                rank[to] = rank[to - gap];
            rank[to] = moved;
        }
}

/* The slices that a neighbour may reach, one more on each side: from *first up to before *end. */
static void slices_reached(const Work *work, const Neighbour *other, double thickness, int *first, int *end)
{
    double low = floor((other->z - other->radius - work->z[0]) / thickness);
    double high = ceil((other->z + other->radius - work->z[0]) / thickness) + 1;
    *first = (int)larger(0.0, smaller(low, work->n_slices));
    *end = (int)larger(0.0, smaller(high, work->n_slices));
}

/* t, by how much circles cross, and what is doubtful, for one neighbour in some slices. */
static void compare_circles(Work *work, const Neighbour *other, int first, int end)
{
    const double z = other->z, radius_squared = other->radius * other->radius, squared = other->squared;
    const double distance = other->distance;
    const double *restrict slice_z = work->z, *restrict slice_squared = work->squared;
    const double *restrict slice_radius = work->radius;
    double *restrict t = work->t, *restrict crossing = work->crossing, *restrict doubt = work->doubt;
    for (int s = first; s < end; s++) {
        double off = z - slice_z[s], other_squared = radius_squared - off * off;
        double sum = slice_squared[s] + squared, product = 2.0 * slice_radius[s] * distance;
        t[s] = sum - other_squared;
        crossing[s] = product * product - t[s] * t[s];
        doubt[s] = DOUBT * (sum + other_squared) * (sum + other_squared);
    }
}

/* Puts the arcs of a neighbour that crosses the circle of a slice. */
static void cover(Work *work, int s, const double *beta, int n_betas, double alpha)
{
    Arc *arc = work->arc + s * work->arcs_room, added[2];
    for (int k = 0; k < n_betas; k++) {
        int n = arcs_around(beta[k], alpha, added);
        for (int m = 0; m < n; m++)
            work->n_arcs[s] = merge_arc(arc, work->n_arcs[s], added[m]);
    }
    if (work->n_arcs[s] == 1 && arc[0].from == 0 && arc[0].to == TWO_PI)
        work->state[s] = COVERED;
}

/* Directions of a neighbour as angles: one, or two where it is listed twice and the zeros may differ. */
static int directions_of(const Spheres *spheres, ptrdiff_t i, const Neighbour *other, double beta[2])
{
    if (other->y != 0) {
        beta[0] = atan2(other->y, other->x) + PI;
        return 1;
    }
    Direction direction = direction_of(spheres, i, other->j);
    double x, y;
    int n = 0;
    for (Direction way = FORWARDS; way <= BACKWARDS; way++)
        if (direction & way) {
            listed_vector(spheres, i, other->j, way == FORWARDS, &x, &y);
            beta[n++] = atan2(y, x) + PI;
        }
    return n;
}

/* What a neighbour covers of all slices. */
static void cover_by(const Spheres *spheres, ptrdiff_t i, Work *work, const Neighbour *other, double thickness)
{
    int first, end, n_betas = 0;
    double beta[2];
    slices_reached(work, other, thickness, &first, &end);
    compare_circles(work, other, first, end);
    for (int s = first; s < end; s++) {
        if (work->state[s] > COVERED || !(fabs(other->z - work->z[s]) < other->radius))
            continue;
        if (work->crossing[s] < -work->doubt[s]) {
            if (work->t[s] < 0)
                work->state[s] = BURIED;
        } else if (!(work->crossing[s] > work->doubt[s])) {
            work->state[s] = IN_DOUBT;
        } else if (work->state[s] == OPEN) {
            if (!n_betas)
                n_betas = directions_of(spheres, i, other, beta);
            cover(work, s, beta, n_betas, acos(work->t[s] / (2.0 * work->radius[s] * other->distance)));
        }
    }
}

static Status area_of(const Spheres *spheres, ptrdiff_t i, Work *work, double *area, Checkpoint *checkpoint)
{
    int64_t looked_at = 27;
    *area = 0.0;
    if (!(spheres->radius[i] > 0))
        return DONE;
    const double radius = spheres->radius[i], thickness = 2 * radius / work->n_slices;
    if (find_neighbours(spheres, i, work, &looked_at) != DONE)
        return NO_MEMORY;
    sort_by_cap(work->rank, work->n_neighbours);
    cut_into_slices(spheres, i, work, thickness);
    work->n_listed = -1;
    if (is_interrupted(checkpoint, 4 * looked_at))
        return INTERRUPTED;
    for (ptrdiff_t k = 0; k < work->n_neighbours; k++) {
        cover_by(spheres, i, work, &work->neighbour[work->rank[k].neighbour], thickness);
        if (is_interrupted(checkpoint, 5 * work->n_slices))
            return INTERRUPTED;
    }
    for (int s = 0; s < work->n_slices; s++) {
        double exposed = 0.0;
        if (work->state[s] == OPEN)
            exposed = exposed_angle(work->arc + s * work->arcs_room, work->n_arcs[s]);
        else if (work->state[s] == IN_DOUBT) {
            if (exposed_in_doubt(spheres, i, work, s, &exposed) != DONE)
                return NO_MEMORY;
            if (is_interrupted(checkpoint, 100 * work->n_listed))
                return INTERRUPTED;
        }
        *area += thickness * radius * exposed;
    }
    return DONE;
}

/* ---- All spheres --------------------------------------------------------------------------------------------------- */

static Status make_spheres(Spheres *spheres, const double *xyz, const double *radii, ptrdiff_t n, double probe)
{
    *spheres = (Spheres){.xyz = xyz, .n = n, .radius = make_room(n, sizeof *spheres->radius)};
    if (!spheres->radius)
        return NO_MEMORY;
    double low[3] = {INFINITY, INFINITY, INFINITY};
    for (ptrdiff_t i = 0; i < n; i++) {
        spheres->radius[i] = radii[i] + probe;
        spheres->largest = larger(spheres->largest, spheres->radius[i]);
        for (int axis = 0; axis < 3; axis++)
            low[axis] = smaller(low[axis], xyz[3 * i + axis]);
    }
    for (int axis = 0; axis < 3; axis++)
        spheres->corner[axis] = low[axis] - 2 * spheres->largest / 2.;
    return make_cells(&spheres->cells, xyz, n, larger(2 * spheres->largest * (1.0 + 1e-6), 1e-3));
}

static Status make_work(Work *work, int n_slices)
{
    *work = (Work){.n_slices = n_slices, .around = {.n = -1}, .n_listed = -1};
    work->z = make_room(6 * n_slices, sizeof *work->z);
    work->state = make_room(n_slices, sizeof *work->state);
    work->n_arcs = make_room(n_slices, sizeof *work->n_arcs);
    if (!work->z || !work->state || !work->n_arcs)
        return NO_MEMORY;
    work->squared = work->z + n_slices;
    work->radius = work->z + 2 * n_slices;
    work->t = work->z + 3 * n_slices;
    work->crossing = work->z + 4 * n_slices;
    work->doubt = work->z + 5 * n_slices;
    return make_room_for_neighbours(work, 128);
}

Status lee_richards(const double *xyz, const double *radii, ptrdiff_t n, const int64_t *of, ptrdiff_t n_of, double probe,
                    int n_slices, double *area, Checkpoint *checkpoint)
{
    Spheres spheres;
    Work work = {0};
    Status status = make_spheres(&spheres, xyz, radii, n, probe);
    if (status == DONE)
        status = make_work(&work, n_slices);
    for (ptrdiff_t k = 0; k < n_of && status == DONE; k++)
        status = area_of(&spheres, of[k], &work, &area[k], checkpoint);
    free(spheres.radius);
    free_cells(&spheres.cells);
    free(work.neighbour);
    free(work.rank);
    free(work.z);
    free(work.state);
    free(work.n_arcs);
    free(work.arc);
    free(work.all);
    free(work.listed);
    return status;
}
