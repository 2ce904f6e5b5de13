{{/*
What the operator may do where it acts. Every rule is needed; none is for convenience.

It makes a Role for the pods of each issuer, and nobody can grant what they do not hold: some verbs are there for that, so that
the operator needs neither `escalate` nor `bind`.
*/}}
{{- define "vouch.rules" -}}
# What people declare, and what the operator reports of it.
- apiGroups: [vouch.sh]
  resources: [vouchissuers, vouchusers]
  verbs: [get, list, watch]
- apiGroups: [vouch.sh]
  resources: [awsfederations, oidcclients]
  verbs: [list, watch]
- apiGroups: [vouch.sh]
  resources: [vouchissuers/status, oidcclients/status, vouchusers/status]
  verbs: [patch]
# Owning an object that blocks the deletion of its owner, where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [vouch.sh]
  resources: [vouchissuers/finalizers]
  verbs: [update]
# What every issuer is made of. It goes with the issuer, by its owner references.
- apiGroups: [""]
  resources: [serviceaccounts, services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors]
  verbs: [get, list, watch, create, patch]
# What an issuer has when it is declared, and loses when it is not any more.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Signing keys and the root secret of an issuer: made and changed, never deleted.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update]
# What people see with `kubectl describe`.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Attestation roots, when an issuer names a ConfigMap with them; its pods follow it.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch]
{{- end -}}

{{/* What somebody may do who looks. */}}
{{- define "vouch.viewerRules" -}}
- apiGroups: [vouch.sh]
  resources: [vouchissuers, awsfederations, oidcclients, vouchusers]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end -}}
