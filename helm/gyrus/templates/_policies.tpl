{{/* A peer of this release: include "gyrus.peer" (list . "gateway") */}}
{{- define "gyrus.peer" -}}
podSelector:
  matchLabels:
    {{- include "gyrus.selector" . | nindent 4 }}
{{- end }}

{{/* Who reads metrics */}}
{{- define "gyrus.monitoringPeer" -}}
namespaceSelector:
  {{- with .Values.networkPolicy.monitoringNamespace }}
  matchLabels:
    kubernetes.io/metadata.name: {{ . }}
  {{- else }} {}
  {{- end }}
{{- end }}

{{/* Ray's pods talk among themselves at any port; the operator asks the head how it is. */}}
{{- define "gyrus.rayPeers" -}}
- from:
    - {{- include "gyrus.peer" . | nindent 6 }}
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ (index . 0).Values.networkPolicy.operatorNamespace }}
- from:
    - {{- include "gyrus.monitoringPeer" (index . 0) | nindent 6 }}
  ports:
    - {port: 8080}
{{- end }}
