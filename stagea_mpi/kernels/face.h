/* The face that two balls share in the Voronoi diagram of balls: its vertices, and the balls that bound it. */

#ifndef STAGEA_MPI_FACE_H
#define STAGEA_MPI_FACE_H

#include "geometry.h"
#include "kernels.h"

/* A ball as another one, a, sees it. */
typedef struct {
    Point to;       /* X, from a's centre */
    double s, h;    /* difference of the radii; (|X|² - s²)/2, not above 0 where one lies inside the other */
    double gap;     /* between the surfaces */
    ptrdiff_t ball;
} Seen;

/* All balls as a sees them: first those within two probes' breadth, then the others in shells, ever further out. */
typedef struct {
    Seen *of;
    ptrdiff_t n_near, n; /* how many are near; how many are known: only these as long as no more were asked for */
    ptrdiff_t room;
    ptrdiff_t shell_end[40];
    bool is_hidden; /* a lies inside another ball, and shares no face with any */
} View;

/* What a ball leaves of a face: the directions u with k + n·u ≥ 0. */
typedef struct {
    Point n;
    double k, n2;         /* n2 = n·n */
    ptrdiff_t seen;       /* its ball, as an index into the view */
    ptrdiff_t n_vertices; /* that lie on its circle */
    bool is_loop;         /* the whole circle bounds the face, without a vertex */
    ptrdiff_t ends[2];    /* where it holds two vertices: these, when the face was measured */
} Cut;

/* The part of a cut's circle, between two vertices, that bounds the face. */
typedef struct {
    Point middle, normal; /* of the circle */
    Point outwards;       /* from its middle to that of the arc, of length 1 */
    double radius2, from; /* of the circle, squared; how far along `outwards` its ends lie */
} Arc;

typedef struct {
    Point u;  /* its direction from a */
    double r; /* radius of the ball that touches all four; HUGE_VAL where there is none */
    ptrdiff_t one, other; /* the cuts whose circles meet here */
} Vertex;

/* How far b's direction is from the circle of a cut: the smaller, the more of the middle is taken. */
typedef struct {
    double off; /* a signed square of a sine */
    ptrdiff_t candidate;
} Edge;

/* A face, and room for finding it; all zero before the first one. */
typedef struct {
    Cut *cuts; /* those that have ever taken something; the first is not a ball's: where there is a bisector at all */
    Vertex *vertices;
    ptrdiff_t n_cuts, n_vertices, n_loops;
    Cut *candidates;
    Edge *edges;
    Arc *arcs;
    ptrdiff_t n_arcs;
    bool is_of_arcs; /* these are all of its bound */
    ptrdiff_t room_cuts, room_vertices, room_candidates, room_edges, room_arcs;
} Face;

/* What a sees within two probes' breadth. The cells hold the balls' centres and are as large as that reaches at most. */
Status look_from(View *view, const Ball *balls, const Cells *cells, ptrdiff_t a, double probe, Checkpoint *checkpoint);

/* The face that a shares with a ball which it sees near. */
Status find_face(Face *face, View *view, ptrdiff_t b_seen, const Ball *balls, ptrdiff_t n, ptrdiff_t a, double probe,
                 Checkpoint *checkpoint);

/* Centre of the ball that touches all four of a vertex. */
static inline Point centre_of(const Vertex *vertex, const Ball *a)
{
    return plus(a->centre, times(vertex->u, vertex->r + a->radius));
}

#endif
