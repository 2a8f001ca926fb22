// Stage A as a process of Nextflow, with `stagea-mpi` on PATH; paths in run.yaml have to be absolute:
//     nextflow run jobs/stage_a.nf --run_yaml run.yaml --models docking
// Not run where stagea_mpi is developed, which has no Nextflow. jobs/README.md says more.
params.mpi = 'mpiexec --bind-to none'

process PLAN {
    input: tuple path(run_yaml), path(models)
    output: tuple path(run_yaml), path(models), path('plan.json')
    script: "stagea-mpi plan --json $run_yaml > plan.json"
}

process STAGE_A {
    cpus { plan.cores_a_rank }
    memory { "${Math.ceil(1.1 * 1024 * plan.memory_a_node_gb) as int} MB" }
    time { "${5 + Math.ceil(3 * plan.jobs * plan.all_ranks_s / 60) as int} min" }
    clusterOptions { "--nodes=${plan.nodes_a_job} --ntasks-per-node=${plan.ranks_a_node}" }
    input: tuple path(run_yaml), path(models), val(plan)
    output: path 'stage_a.done'
    script: "$params.mpi -n $plan.ranks_a_job stagea-mpi run $run_yaml && touch stage_a.done"
}

workflow {
    PLAN(Channel.of([file(params.run_yaml), file(params.models)]))
    STAGE_A(PLAN.out.map { run_yaml, models, json -> [run_yaml, models, new groovy.json.JsonSlurper().parse(json)] })
}
