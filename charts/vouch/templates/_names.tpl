{{/*
What the operator's objects are called. The suffix keeps them apart from those of a VouchIssuer, which are called like it.
*/}}
{{- define "vouch.name" -}}
{{- printf "%s-operator" (.Release.Name | trunc 40 | trimSuffix "-") -}}
{{- end -}}

{{- define "vouch.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "vouch.name" .) -}}
{{- end -}}

{{/* By which the operator's pods are found. They never change: a selector is immutable. */}}
{{- define "vouch.selector" -}}
app.kubernetes.io/name: vouch-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vouch.labels" -}}
{{- $own := include "vouch.selector" . | fromYaml -}}
{{- $own = set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $own = set $own "app.kubernetes.io/part-of" "vouch" -}}
{{- $own = set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $own = set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (deepCopy .Values.commonLabels) $own | toYaml -}}
{{- end -}}

{{/*
Labels and annotations of an object: (dict "root" $ "labels" … "annotations" …), the last two optional.
*/}}
{{- define "vouch.metadata" -}}
{{- $labels := include "vouch.labels" .root | fromYaml -}}
labels:
  {{- mergeOverwrite (deepCopy (.labels | default dict)) $labels | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A whole reference: (dict "root" $ "image" .Values.image). */}}
{{- define "vouch.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .image.registry -}}
{{- $name := ternary .image.repository (printf "%s/%s" (trimSuffix "/" $registry) .image.repository) (empty $registry) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that the operator acts in, when it does not act in all: {"names": […]}. */}}
{{- define "vouch.namespaces" -}}
{{- dict "names" (.Values.namespaces | default (list .Release.Namespace) | uniq) | toYaml -}}
{{- end -}}
