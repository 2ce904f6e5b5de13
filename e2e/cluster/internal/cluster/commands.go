package cluster

// Usage is what a wrong call prints.
const Usage = `usage: cluster COMMAND [flags]

  up         start a cluster; prints CLUSTER_DIR and KUBECONFIG for the shell
  down       end it and delete its state
  list       the clusters of this user
  status     the processes of a cluster, with memory and CPU time

  node       stop | start | cut | join NODE             power cut, power on, network partition, its end
  control    stop | start | pause | resume PROGRAM      etcd, kube-apiserver, kube-controller-manager, kube-scheduler
  pod        kill | pause | resume NAMESPACE/POD[/CONTAINER]
             cut | join NAMESPACE/POD                   lose all between it and the API server, and no more
             clock NAMESPACE/POD[/CONTAINER] OFFSET     such as +0, -300s (images made with -clock)
  exec       NODE PROGRAM [ARGUMENT...]                 run something inside a node

  kubectl    ARGUMENT...                                of the same version, as administrator
  image      [-clock] [-env NAME=VALUE] [-user UID] NAME:TAG OUT.tar SOURCE:/TARGET...
  load       ARCHIVE...                                 import image archives on every node

Commands act on the cluster in $CLUSTER_DIR or -dir DIR (right after the command), or on the only one there is.
Linked in: etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy.`

// Commands are this tool's own.
var Commands = map[string]func(args []string) error{
	"up":         up,
	"down":       down,
	"list":       list,
	"status":     status,
	"node":       nodeCommand,
	"control":    controlCommand,
	"pod":        podCommand,
	"exec":       execCommand,
	"image":      imageCommand,
	"load":       loadCommand,
	guardCommand: guard,
	initCommand:  nodeInit,
}
