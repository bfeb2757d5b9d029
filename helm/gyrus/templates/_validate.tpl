{{/* Values that contradict each other, or lack what they need: each sentence names the key. */}}
{{- define "gyrus.validate" -}}
{{- $v := .Values -}}
{{- if and $v.mariadb.enabled $v.externalDatabase.existingSecret -}}
{{- fail "Both databases are given: set mariadb.enabled to false, or leave externalDatabase.existingSecret empty." -}}
{{- end -}}
{{- if not (or $v.mariadb.enabled $v.externalDatabase.existingSecret) -}}
{{- fail "No database is given: name the secret with its URL in externalDatabase.existingSecret, or set mariadb.enabled to true." -}}
{{- end -}}
{{- if eq $v.profile "production" -}}
{{- if $v.mariadb.enabled -}}
{{- fail "mariadb.enabled is for trials: with profile production set it to false and name externalDatabase.existingSecret." -}}
{{- end -}}
{{- range $key := list "existingSecret" "existingKeysSecret" -}}
{{- if not (get $v.auth $key) -}}
{{- fail (printf "auth.%s is empty: with profile production, secrets are made outside of the chart; name the one that holds them." $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.mlflow.enabled $v.mlflow.externalUri -}}
{{- fail "Two MLflows are given: set mlflow.enabled to false, or leave mlflow.externalUri empty." -}}
{{- end -}}
{{- if not (or $v.mlflow.enabled $v.mlflow.externalUri) -}}
{{- fail "No MLflow is given: set mlflow.enabled to true, or name one in mlflow.externalUri." -}}
{{- end -}}
{{- if and $v.mlflow.artifacts.destination (not (hasPrefix "s3://" $v.mlflow.artifacts.destination)) -}}
{{- fail "mlflow.artifacts.destination is no s3:// address." -}}
{{- end -}}
{{- with $v.training.data.destination -}}
{{- if not (hasPrefix "s3://" .) -}}
{{- fail "training.data.destination is no s3:// address." -}}
{{- end -}}
{{- if $v.training.persistence.existingClaim -}}
{{- fail "Training's data is given twice: leave training.data.destination or training.persistence.existingClaim empty." -}}
{{- end -}}
{{- end -}}
{{- with $v.training.workers -}}
{{- if and .gpus (gt (int .cpus) (int .gpus)) -}}
{{- fail "training.workers.cpus is larger than training.workers.gpus: each worker takes one processor that Ray has to give away, and needs a GPU of its own." -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
{{- fail "ingress.host is empty: an Ingress needs a host." -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: an HTTPRoute needs a Gateway." -}}
{{- end -}}
{{- range $name := list "classify" "explain" "workers" -}}
{{- $part := get $v.serving $name -}}
{{- if gt (int $part.minReplicas) (int $part.maxReplicas) -}}
{{- fail (printf "serving.%s.minReplicas is more than serving.%s.maxReplicas." $name $name) -}}
{{- end -}}
{{- end -}}
{{- $room := mul $v.serving.workers.minReplicas $v.serving.workers.cpus -}}
{{- $needed := addf (mulf $v.serving.classify.minReplicas $v.serving.classify.cpus) (mulf $v.serving.explain.minReplicas $v.serving.explain.cpus) -}}
{{- if lt (float64 $room) (float64 $needed) -}}
{{- fail (printf "serving.workers.minReplicas: %d processors are too few for the replicas of serving.classify and serving.explain, which ask for %v." (int $room) $needed) -}}
{{- end -}}
{{- if and $v.gateway.autoscaling.enabled (gt (int $v.gateway.autoscaling.minReplicas) (int $v.gateway.autoscaling.maxReplicas)) -}}
{{- fail "gateway.autoscaling.minReplicas is more than gateway.autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and $v.training.enabled (eq (include "gyrus.trainingNamespace" .) .Release.Namespace) -}}
{{- fail "training.namespace is the release's own: whoever makes pods there could mount its secrets. Name another." -}}
{{- end -}}
{{- if and $v.bootstrap.enabled (not $v.training.enabled) -}}
{{- fail "bootstrap.enabled needs training.enabled: the first model is trained in that namespace, on that claim." -}}
{{- end -}}
{{- end }}
